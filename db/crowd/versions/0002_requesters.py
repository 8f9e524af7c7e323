"""Bonuses, blocks, messages, qualifications, answers kept for repeated calls; keys can be revoked."""

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

# The server's own qualification types, under the protocol's ids.
SYSTEM = (
    ('00000000000000000071', 'Worker_Locale',
     'The country, and perhaps the subdivision, that the worker has stated.'),
    ('00000000000000000060', 'Worker_Adult',
     'The worker has stated to be an adult: 1.'),
    ('00000000000000000040', 'Worker_NumberHITsApproved',
     'How many assignments of the worker have been approved.'),
    ('000000000000000000L0', 'Worker_PercentAssignmentsApproved',
     'The percentage approved of the assignments decided; 100 below 100 assignments sent in.'),
)


def upgrade() -> None:
    op.create_table('qualification_types',
    sa.Column('serial', sa.Integer(), nullable=False),
    sa.Column('qualification_type_id', sa.Text(), nullable=False),
    sa.Column('requester', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('keywords', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('test', sa.Text(), nullable=True),
    sa.Column('answer_key', sa.Text(), nullable=True),
    sa.Column('test_duration', sa.Integer(), nullable=True),
    sa.Column('retry_delay', sa.Integer(), nullable=True),
    sa.Column('auto_granted', sa.Integer(), nullable=False),
    sa.Column('auto_value', sa.Integer(), nullable=False),
    sa.Column('created', sa.Float(), nullable=False),
    sa.Column('deleted', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('serial', name=op.f('pk_qualification_types')),
    sa.UniqueConstraint('qualification_type_id', name=op.f('uq_qualification_types_qualification_type_id'))
    )
    with op.batch_alter_table('qualification_types', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_qualification_types_requester'), ['requester'], unique=False)

    op.create_table('request_tokens',
    sa.Column('requester', sa.Text(), nullable=False),
    sa.Column('operation', sa.Text(), nullable=False),
    sa.Column('token', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('made', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('requester', 'operation', 'token', name=op.f('pk_request_tokens'))
    )
    op.create_table('messages',
    sa.Column('serial', sa.Integer(), nullable=False),
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('requester', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('sent', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.worker_id'], name=op.f('fk_messages_worker_id')),
    sa.PrimaryKeyConstraint('serial', name=op.f('pk_messages'))
    )
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_messages_requester'), ['requester'], unique=False)
        batch_op.create_index(batch_op.f('ix_messages_worker_id'), ['worker_id'], unique=False)

    op.create_table('qualification_requests',
    sa.Column('serial', sa.Integer(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('qualification_type_id', sa.Text(), nullable=False),
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('answer', sa.Text(), nullable=True),
    sa.Column('submitted', sa.Float(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('decided', sa.Float(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['qualification_type_id'], ['qualification_types.qualification_type_id'], name=op.f('fk_qualification_requests_qualification_type_id')),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.worker_id'], name=op.f('fk_qualification_requests_worker_id')),
    sa.PrimaryKeyConstraint('serial', name=op.f('pk_qualification_requests')),
    sa.UniqueConstraint('request_id', name=op.f('uq_qualification_requests_request_id'))
    )
    with op.batch_alter_table('qualification_requests', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_qualification_requests_qualification_type_id'), ['qualification_type_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_qualification_requests_state_serial'), ['state', 'serial'], unique=False)
        batch_op.create_index(batch_op.f('ix_qualification_requests_worker_id'), ['worker_id'], unique=False)

    op.create_table('qualifications',
    sa.Column('qualification_type_id', sa.Text(), nullable=False),
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('value', sa.Integer(), nullable=True),
    sa.Column('locale', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('granted', sa.Float(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['qualification_type_id'], ['qualification_types.qualification_type_id'], name=op.f('fk_qualifications_qualification_type_id')),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.worker_id'], name=op.f('fk_qualifications_worker_id')),
    sa.PrimaryKeyConstraint('qualification_type_id', 'worker_id', name=op.f('pk_qualifications'))
    )
    with op.batch_alter_table('qualifications', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_qualifications_qualification_type_id_status_granted'), ['qualification_type_id', 'status', 'granted'], unique=False)
        batch_op.create_index(batch_op.f('ix_qualifications_worker_id'), ['worker_id'], unique=False)

    op.create_table('replies',
    sa.Column('access_key_id', sa.Text(), nullable=False),
    sa.Column('invocation_id', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('answer', sa.Text(), nullable=False),
    sa.Column('made', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['access_key_id'], ['keys.access_key_id'], name=op.f('fk_replies_access_key_id')),
    sa.PrimaryKeyConstraint('access_key_id', 'invocation_id', name=op.f('pk_replies'))
    )
    with op.batch_alter_table('replies', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_replies_made'), ['made'], unique=False)

    op.create_table('worker_blocks',
    sa.Column('requester', sa.Text(), nullable=False),
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('made', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.worker_id'], name=op.f('fk_worker_blocks_worker_id')),
    sa.PrimaryKeyConstraint('requester', 'worker_id', name=op.f('pk_worker_blocks'))
    )
    with op.batch_alter_table('worker_blocks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_worker_blocks_worker_id'), ['worker_id'], unique=False)

    op.create_table('bonuses',
    sa.Column('serial', sa.Integer(), nullable=False),
    sa.Column('requester', sa.Text(), nullable=False),
    sa.Column('assignment_id', sa.Text(), nullable=False),
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('amount', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('granted', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['assignment_id'], ['assignments.assignment_id'], name=op.f('fk_bonuses_assignment_id')),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.worker_id'], name=op.f('fk_bonuses_worker_id')),
    sa.PrimaryKeyConstraint('serial', name=op.f('pk_bonuses'))
    )
    with op.batch_alter_table('bonuses', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_bonuses_assignment_id'), ['assignment_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_bonuses_requester'), ['requester'], unique=False)
        batch_op.create_index(batch_op.f('ix_bonuses_worker_id'), ['worker_id'], unique=False)

    with op.batch_alter_table('hit_types', schema=None) as batch_op:
        batch_op.add_column(sa.Column('requirements', sa.Text(), server_default='[]', nullable=False))

    with op.batch_alter_table('hits', schema=None) as batch_op:
        batch_op.add_column(sa.Column('reviewing', sa.Integer(), server_default='0', nullable=False))

    with op.batch_alter_table('keys', schema=None) as batch_op:
        batch_op.add_column(sa.Column('revoked', sa.Float(), nullable=True))

    types = sa.table(
        'qualification_types',
        *(sa.column(name, sa.Text()) for name in
          ('qualification_type_id', 'requester', 'name', 'keywords', 'description', 'status')),
        *(sa.column(name, sa.Integer()) for name in ('auto_granted', 'auto_value', 'deleted')),
        sa.column('created', sa.Float()),
    )
    op.bulk_insert(types, [
        {'qualification_type_id': key, 'requester': '', 'name': name, 'keywords': '',
         'description': text, 'status': 'Active', 'auto_granted': 0, 'auto_value': 1,
         'deleted': 0, 'created': 0.0}
        for key, name, text in SYSTEM
    ])


def downgrade() -> None:
    with op.batch_alter_table('keys', schema=None) as batch_op:
        batch_op.drop_column('revoked')

    with op.batch_alter_table('hits', schema=None) as batch_op:
        batch_op.drop_column('reviewing')

    with op.batch_alter_table('hit_types', schema=None) as batch_op:
        batch_op.drop_column('requirements')

    with op.batch_alter_table('bonuses', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_bonuses_worker_id'))
        batch_op.drop_index(batch_op.f('ix_bonuses_requester'))
        batch_op.drop_index(batch_op.f('ix_bonuses_assignment_id'))

    op.drop_table('bonuses')
    with op.batch_alter_table('worker_blocks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_worker_blocks_worker_id'))

    op.drop_table('worker_blocks')
    with op.batch_alter_table('replies', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_replies_made'))

    op.drop_table('replies')
    with op.batch_alter_table('qualifications', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_qualifications_worker_id'))
        batch_op.drop_index(batch_op.f('ix_qualifications_qualification_type_id_status_granted'))

    op.drop_table('qualifications')
    with op.batch_alter_table('qualification_requests', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_qualification_requests_worker_id'))
        batch_op.drop_index(batch_op.f('ix_qualification_requests_state_serial'))
        batch_op.drop_index(batch_op.f('ix_qualification_requests_qualification_type_id'))

    op.drop_table('qualification_requests')
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_messages_worker_id'))
        batch_op.drop_index(batch_op.f('ix_messages_requester'))

    op.drop_table('messages')
    op.drop_table('request_tokens')
    with op.batch_alter_table('qualification_types', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_qualification_types_requester'))

    op.drop_table('qualification_types')
