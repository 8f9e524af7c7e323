"""The first schema."""

import sqlalchemy as sa
from alembic import op


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('hit_types',
    sa.Column('hit_type_id', sa.Text(), nullable=False),
    sa.Column('requester', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('keywords', sa.Text(), nullable=False),
    sa.Column('reward', sa.Text(), nullable=False),
    sa.Column('duration', sa.Integer(), nullable=False),
    sa.Column('auto_approval_delay', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('hit_type_id', name=op.f('pk_hit_types'))
    )
    op.create_table('keys',
    sa.Column('access_key_id', sa.Text(), nullable=False),
    sa.Column('secret', sa.Text(), nullable=False),
    sa.Column('requester', sa.Text(), nullable=False),
    sa.Column('created', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('access_key_id', name=op.f('pk_keys'))
    )
    op.create_table('settings',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_settings'))
    )
    op.create_table('workers',
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('created', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('worker_id', name=op.f('pk_workers'))
    )
    op.create_table('hits',
    sa.Column('serial', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('hit_id', sa.Text(), nullable=False),
    sa.Column('hit_type_id', sa.Text(), nullable=False),
    sa.Column('requester', sa.Text(), nullable=False),
    sa.Column('request_token', sa.Text(), nullable=True),
    sa.Column('question', sa.Text(), nullable=False),
    sa.Column('annotation', sa.Text(), nullable=True),
    sa.Column('max_assignments', sa.Integer(), nullable=False),
    sa.Column('created', sa.Float(), nullable=False),
    sa.Column('expires', sa.Float(), nullable=False),
    sa.Column('disposed', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['hit_type_id'], ['hit_types.hit_type_id'], name=op.f('fk_hits_hit_type_id')),
    sa.PrimaryKeyConstraint('serial', name=op.f('pk_hits')),
    sa.UniqueConstraint('hit_id', name=op.f('uq_hits_hit_id')),
    sa.UniqueConstraint('requester', 'request_token', name=op.f('uq_hits_requester_request_token'))
    )
    with op.batch_alter_table('hits', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_hits_expires'), ['expires'], unique=False)
        batch_op.create_index(batch_op.f('ix_hits_hit_type_id'), ['hit_type_id'], unique=False)

    op.create_table('invitations',
    sa.Column('token_hash', sa.Text(), nullable=False),
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('created', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.worker_id'], name=op.f('fk_invitations_worker_id')),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_invitations'))
    )
    with op.batch_alter_table('invitations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_invitations_worker_id'), ['worker_id'], unique=False)

    op.create_table('assignments',
    sa.Column('assignment_id', sa.Text(), nullable=False),
    sa.Column('hit_id', sa.Text(), nullable=False),
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('accepted', sa.Float(), nullable=False),
    sa.Column('deadline', sa.Float(), nullable=False),
    sa.Column('submitted', sa.Float(), nullable=True),
    sa.Column('auto_approval', sa.Float(), nullable=True),
    sa.Column('decided', sa.Float(), nullable=True),
    sa.Column('answer', sa.Text(), nullable=True),
    sa.Column('feedback', sa.Text(), nullable=True),
    sa.Column('draft', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['hit_id'], ['hits.hit_id'], name=op.f('fk_assignments_hit_id')),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.worker_id'], name=op.f('fk_assignments_worker_id')),
    sa.PrimaryKeyConstraint('assignment_id', name=op.f('pk_assignments')),
    sa.UniqueConstraint('hit_id', 'worker_id', name=op.f('uq_assignments_hit_id_worker_id'))
    )
    with op.batch_alter_table('assignments', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_assignments_hit_id_state'), ['hit_id', 'state'], unique=False)
        batch_op.create_index(batch_op.f('ix_assignments_state_auto_approval'), ['state', 'auto_approval'], unique=False)
        batch_op.create_index(batch_op.f('ix_assignments_state_deadline'), ['state', 'deadline'], unique=False)
        batch_op.create_index(batch_op.f('ix_assignments_worker_id_state'), ['worker_id', 'state'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('assignments', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_assignments_worker_id_state'))
        batch_op.drop_index(batch_op.f('ix_assignments_state_deadline'))
        batch_op.drop_index(batch_op.f('ix_assignments_state_auto_approval'))
        batch_op.drop_index(batch_op.f('ix_assignments_hit_id_state'))

    op.drop_table('assignments')
    with op.batch_alter_table('invitations', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_invitations_worker_id'))

    op.drop_table('invitations')
    with op.batch_alter_table('hits', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_hits_hit_type_id'))
        batch_op.drop_index(batch_op.f('ix_hits_expires'))

    op.drop_table('hits')
    op.drop_table('workers')
    op.drop_table('settings')
    op.drop_table('keys')
    op.drop_table('hit_types')
