"""Chains the entries recorded so far, and creates monthly partitions on PostgreSQL."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct

from django.db import migrations, models

BATCH = 1000
NOTHING = bytes(32)

# The sealing as of this migration. A copy, because the live code may change.
SEALED = (
    "partition",
    "offset",
    "recorded_at",
    "topic",
    "event_id",
    "source",
    "type",
    "subject",
    "sequence",
    "time",
    "actor",
    "correlation_id",
    "causation_id",
    "headers",
    "value",
)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NULL = b"\xff\xff\xff\xff"
PLACE = Struct(">iiiqiq")
LENGTH = Struct(">i")
INT8 = Struct(">iq")

APPEND_ONLY = """
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit record is append-only: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_auditentry
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
"""


def chain(apps, schema_editor):
    """Chain the existing entries, in the order in which they were recorded."""
    entries = apps.get_model("audit", "AuditEntry").objects.order_by("id")
    heads = {}
    last = 0
    while batch := list(entries.filter(id__gt=last)[:BATCH]):
        for entry in batch:
            position, previous, _ = heads.get((entry.topic, entry.partition), (0, NOTHING, None))
            row = [getattr(entry, name) for name in SEALED[:-1]]
            entry.position = position + 1
            entry.link = sha256(previous + seal([*row, bytes(entry.value)])).digest()
            heads[entry.topic, entry.partition] = entry.position, entry.link, entry.recorded_at
        entries.bulk_update(batch, ["position", "link"])
        last = batch[-1].pk
    apps.get_model("audit", "ChainHead").objects.bulk_create(
        apps.get_model("audit", "ChainHead")(
            topic=topic, partition=partition, position=position, link=end, recorded_at=recorded_at
        )
        for (topic, partition), (position, end, recorded_at) in heads.items()
    )


def seal(row):
    partition, offset, recorded_at, *texts, headers, value = row
    topic, event_id, source, type_, subject, sequence, time, actor, correlation, causation = texts
    return b"".join(
        (
            PLACE.pack(4, partition, 8, offset, 8, microseconds(recorded_at)),
            *map(sealed_text, (topic, event_id, source, type_, subject)),
            NULL if sequence is None else INT8.pack(8, sequence),
            NULL if time is None else INT8.pack(8, microseconds(time)),
            *map(sealed_text, (actor, correlation, causation, headers)),
            LENGTH.pack(len(value)),
            value,
        )
    )


def microseconds(moment):
    return (moment - EPOCH) // timedelta(microseconds=1)


def sealed_text(text):
    encoded = text.encode()
    return LENGTH.pack(len(encoded)) + encoded


def partition(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    model = apps.get_model("audit", "AuditEntry")
    for index in model._meta.indexes:
        schema_editor.remove_index(model, index)
    execute = schema_editor.execute
    execute("ALTER TABLE audit_auditentry ALTER id DROP IDENTITY IF EXISTS")
    execute("ALTER TABLE audit_auditentry RENAME TO audit_auditentry_whole")
    execute(
        "CREATE TABLE audit_auditentry (LIKE audit_auditentry_whole INCLUDING DEFAULTS)"
        " PARTITION BY RANGE (recorded_at)"
    )
    execute("CREATE SEQUENCE audit_auditentry_id_seq OWNED BY audit_auditentry.id")
    execute(
        "ALTER TABLE audit_auditentry ALTER id SET DEFAULT nextval('audit_auditentry_id_seq'),"
        " ADD PRIMARY KEY (id, recorded_at)"
    )
    for index in model._meta.indexes:
        schema_editor.add_index(model, index)
    execute(APPEND_ONLY, params=None)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(recorded_at), max(recorded_at), max(id) FROM audit_auditentry_whole"
        )
        oldest, newest, newest_id = cursor.fetchone()
    now = datetime.now(UTC)
    year, month = (oldest or now).astimezone(UTC).timetuple()[:2]
    last = max(now, newest or now).astimezone(UTC)
    while (year, month) <= (last.year, last.month):
        following = (year + month // 12, month % 12 + 1)
        execute(
            f"CREATE TABLE audit_auditentry_{year}_{month:02} PARTITION OF audit_auditentry FOR VALUES"
            f" FROM ('{year}-{month:02}-01T00:00:00+00:00')"
            f" TO ('{following[0]}-{following[1]:02}-01T00:00:00+00:00')"
        )
        year, month = following
    columns = ", ".join(f'"{field.column}"' for field in model._meta.concrete_fields)
    execute(
        f"INSERT INTO audit_auditentry ({columns})"
        f" SELECT {columns} FROM audit_auditentry_whole ORDER BY id"
    )
    if newest_id:
        execute("SELECT setval('audit_auditentry_id_seq', %s)", [newest_id])
    execute("DROP TABLE audit_auditentry_whole")


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ChainHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("topic", models.CharField(max_length=249)),
                ("partition", models.IntegerField()),
                ("position", models.BigIntegerField(default=0, help_text="Position of the latest entry; 0 if there is none.")),
                ("link", models.BinaryField(default=NOTHING, help_text="Link of the latest entry.")),
                ("pruned_position", models.BigIntegerField(default=0, help_text="Position of the last pruned entry.")),
                ("pruned_link", models.BinaryField(default=NOTHING, help_text="Link of the last pruned entry.")),
                ("recorded_at", models.DateTimeField(help_text="When the latest entry was recorded.", null=True)),
                ("replayed_to", models.BigIntegerField(default=-1, help_text="Last offset recorded by a replay. Workers may receive offsets up to it again.")),
            ],
            options={
                "ordering": ["topic", "partition"],
                "constraints": [models.UniqueConstraint(fields=("topic", "partition"), name="audit_head")],
            },
        ),
        migrations.AlterModelOptions(
            name="auditentry",
            options={
                "ordering": ["-id"],
                "permissions": [("export_auditentry", "Can export audit entries")],
                "verbose_name_plural": "audit entries",
            },
        ),
        migrations.RemoveConstraint(model_name="auditentry", name="audit_event_once"),
        migrations.AlterField("auditentry", "recorded_at", models.DateTimeField()),
        migrations.AddField(
            "auditentry",
            "position",
            models.BigIntegerField(default=0, help_text="Position in the chain of its partition, starting at 1."),
            preserve_default=False,
        ),
        migrations.AddField(
            "auditentry",
            "link",
            models.BinaryField(default=b"", help_text="SHA-256 of the previous link and all stored fields."),
            preserve_default=False,
        ),
        migrations.AddIndex("auditentry", models.Index(fields=["event_id"], name="audit_event")),
        migrations.AddIndex("auditentry", models.Index(fields=["topic", "partition", "position"], name="audit_chain")),
        migrations.AddIndex("auditentry", models.Index(fields=["correlation_id", "id"], name="audit_correlation")),
        migrations.RunPython(chain),
        migrations.RunPython(partition),
    ]
