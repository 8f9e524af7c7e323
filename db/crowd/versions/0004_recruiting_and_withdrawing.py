"""Recruiting platforms' links; answers that their workers withdrew."""

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('recruitments',
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('token_hash', sa.Text(), nullable=False),
    sa.Column('parameters', sa.Text(), nullable=False),
    sa.Column('completion_code', sa.Text(), nullable=False),
    sa.Column('completion_url', sa.Text(), nullable=True),
    sa.Column('hits_per_worker', sa.Integer(), nullable=True),
    sa.Column('hits_needed', sa.Integer(), nullable=False),
    sa.Column('created', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_recruitments')),
    sa.UniqueConstraint('name', name=op.f('uq_recruitments_name')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_recruitments_token_hash'))
    )
    op.create_table('participations',
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('recruitment', sa.Integer(), nullable=False),
    sa.Column('joined', sa.Float(), nullable=False),
    sa.Column('completed', sa.Float(), nullable=True),
    sa.ForeignKeyConstraint(['recruitment'], ['recruitments.number'], name=op.f('fk_participations_recruitment')),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.worker_id'], name=op.f('fk_participations_worker_id')),
    sa.PrimaryKeyConstraint('worker_id', 'recruitment', name=op.f('pk_participations'))
    )
    op.create_index(op.f('ix_participations_recruitment'), 'participations', ['recruitment'])
    # Added in place: SQLite would otherwise copy the table, which others refer to.
    op.execute(
        'ALTER TABLE assignments ADD COLUMN recruitment INTEGER '
        'CONSTRAINT fk_assignments_recruitment REFERENCES recruitments (number)'
    )
    op.add_column('assignments', sa.Column('withdrawn', sa.Float(), nullable=True))
    op.drop_index(op.f('ix_assignments_worker_id_state'), table_name='assignments')
    op.create_index('ix_assignments_standing', 'assignments',
    ['worker_id', 'state', 'recruitment', 'withdrawn'])


def downgrade() -> None:
    op.drop_index('ix_assignments_standing', table_name='assignments')
    op.create_index(op.f('ix_assignments_worker_id_state'), 'assignments', ['worker_id', 'state'])
    with op.batch_alter_table('assignments', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('fk_assignments_recruitment'), type_='foreignkey')
        batch_op.drop_column('withdrawn')
        batch_op.drop_column('recruitment')
    op.drop_index(op.f('ix_participations_recruitment'), table_name='participations')
    op.drop_table('participations')
    op.drop_table('recruitments')
