"""What HITs show, and what workers were shown: nobody sees an image twice for the same class."""

import hashlib
import re
import xml.etree.ElementTree as ElementTree
from html import unescape

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('hit_images',
    sa.Column('serial', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('image', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.ForeignKeyConstraint(['serial'], ['hits.serial'], name=op.f('fk_hit_images_serial')),
    sa.PrimaryKeyConstraint('serial', 'image', name=op.f('pk_hit_images')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_hit_images_image_serial'), 'hit_images', ['image', 'serial'])
    op.create_table('seen',
    sa.Column('worker_id', sa.Text(), nullable=False),
    sa.Column('image', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('serial', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.worker_id'], name=op.f('fk_seen_worker_id')),
    sa.ForeignKeyConstraint(['serial'], ['hits.serial'], name=op.f('fk_seen_serial')),
    sa.PrimaryKeyConstraint('worker_id', 'image', name=op.f('pk_seen')),
    sqlite_with_rowid=False
    )
    op.add_column('hits', sa.Column('max_per_worker', sa.Integer(), nullable=True))
    op.add_column('hits', sa.Column('done', sa.Integer(), server_default='0', nullable=False))
    op.create_index('ix_hits_open', 'hits',
    ['disposed', 'serial', 'expires', 'max_assignments', 'done'])
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    """Write down what the HITs that exist show, and what their workers were shown."""
    serials = connection.execute(sa.text("SELECT serial FROM hits ORDER BY serial")).scalars().all()
    for serial in serials:
        query = sa.text("SELECT question FROM hits WHERE serial = :serial")
        question = connection.execute(query, {"serial": serial}).scalar_one()
        rows = [{"serial": serial, "image": image} for image in _images(question)]
        if rows:
            insert = "INSERT INTO hit_images (serial, image) VALUES (:serial, :image)"
            connection.execute(sa.text(insert), rows)
    connection.execute(
        sa.text(
            "UPDATE hits SET done = (SELECT COUNT(*) FROM assignments a WHERE "
            "a.hit_id = hits.hit_id AND a.state IN ('Submitted', 'Approved', 'Rejected'))"
        )
    )
    # Who saw an image on several HITs, as was possible before, has the first of them here.
    connection.execute(
        sa.text(
            "INSERT INTO seen (worker_id, image, serial) "
            "SELECT a.worker_id, i.image, MIN(h.serial) FROM assignments a "
            "JOIN hits h ON h.hit_id = a.hit_id JOIN hit_images i ON i.serial = h.serial "
            "GROUP BY a.worker_id, i.image"
        )
    )


def _images(question: str) -> list[int]:
    """The images of the class that a page names; as replicate.crowdserver.shown had it then."""
    try:
        content = ElementTree.fromstring(question).findtext("{*}HTMLContent") or ""
    except ElementTree.ParseError:
        return []
    pattern = r"""<[a-z][^<>]*?\sdata-class-id\s*=\s*(?:"([^"]*)"|'([^']*)')"""
    found = re.search(pattern, content, re.IGNORECASE)
    class_id = unescape(found[1] or found[2] or "") if found else ""
    if not class_id:
        return []
    digests = set(re.findall(r"replicate-image:([0-9a-f]{64})(?![0-9a-f])", content))
    return sorted(_key(class_id, digest) for digest in digests)


def _key(class_id: str, digest: str) -> int:
    hashed = hashlib.sha256(f"{digest}\x1f{class_id}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") >> 1


def downgrade() -> None:
    op.drop_index('ix_hits_open', table_name='hits')
    op.drop_column('hits', 'done')
    op.drop_column('hits', 'max_per_worker')
    op.drop_table('seen')
    op.drop_index(op.f('ix_hit_images_image_serial'), table_name='hit_images')
    op.drop_table('hit_images')
