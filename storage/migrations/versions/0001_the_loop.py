"""The tables of the whole loop.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
HISTORIES = ("corrections", "release_events", "prompt_events")


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("name", KEY, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_files"),
    )
    op.create_table(
        "inbox",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("arrival", sa.JSON(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("ending", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("event_id", name="uq_inbox_event_id"),
    )
    op.create_index(
        "ix_inbox_open",
        "inbox",
        ["id", "due_at"],
        unique=False,
        sqlite_where=sa.text("ending IS NULL"),
        postgresql_where=sa.text("ending IS NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_topic_key_id", "outbox", ["topic", "key", "id"], unique=False)
    op.create_table(
        "prompts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prompts"),
    )
    op.create_table(
        "prompt_events",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("folder", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_prompt_events_prompt_id_prompts"),
        sa.PrimaryKeyConstraint("number", name="pk_prompt_events"),
    )
    op.create_table(
        "questions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("asker", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ts", sa.Text(), nullable=False),
        sa.Column("thread_ts", sa.Text(), nullable=True),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("cut", sa.Boolean(), nullable=False),
        sa.Column("card_ts", sa.Text(), nullable=True),
        sa.Column("settled", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_questions"),
        sa.UniqueConstraint("team", "channel", "ts", name="uq_questions_team_channel_ts"),
    )
    op.create_table(
        "rows",
        sa.Column("id", KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("group", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("ts", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("settled_at", MOMENT, nullable=False),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.Column("touched_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rows"),
    )
    op.create_index("ix_rows_group", "rows", ["group"])
    op.create_index("ix_rows_touched_at_id", "rows", ["touched_at", "id"])
    op.create_index(
        "ix_questions_open",
        "questions",
        ["asked_at"],
        sqlite_where=sa.text("settled IS NULL AND card_ts IS NOT NULL"),
        postgresql_where=sa.text("settled IS NULL AND card_ts IS NOT NULL"),
    )
    op.create_table(
        "datasets",
        sa.Column("id", KEY, nullable=False),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_datasets_prompt_id_prompts"),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
    )
    op.create_table(
        "finetunes",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("student", sa.Text(), nullable=False),
        sa.Column("dataset_id", KEY, nullable=False),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("estimate", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("file_id", sa.Text(), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("searched", sa.Integer(), nullable=False),
        sa.Column("trained_tokens", sa.Integer(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("channel_ts", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_finetunes_dataset_id_datasets"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_finetunes_prompt_id_prompts"),
        sa.PrimaryKeyConstraint("number", name="pk_finetunes"),
        sa.UniqueConstraint("id", name="uq_finetunes_id"),
    )
    op.create_table(
        "finetune_rows",
        sa.Column("finetune_id", KEY, nullable=False),
        sa.Column("row_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["finetune_id"], ["finetunes.id"], name="fk_finetune_rows_finetune_id_finetunes"),
        sa.PrimaryKeyConstraint("finetune_id", "row_id", name="pk_finetune_rows"),
    )
    op.create_table(
        "releases",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("recall", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("finetune_id", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("unsure_below", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(["finetune_id"], ["finetunes.id"], name="fk_releases_finetune_id_finetunes"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_releases_prompt_id_prompts"),
        sa.PrimaryKeyConstraint("number", name="pk_releases"),
        sa.UniqueConstraint("id", name="uq_releases_id"),
    )
    op.create_index(
        "uq_releases_serving",
        "releases",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'serving'"),
        postgresql_where=sa.text("state = 'serving'"),
    )
    op.create_table(
        "release_events",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("release_id", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name="fk_release_events_release_id_releases"),
        sa.PrimaryKeyConstraint("number", name="pk_release_events"),
    )
    op.create_table(
        "results",
        sa.Column("release_id", KEY, nullable=False),
        sa.Column("text_key", KEY, nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(precision=53), nullable=True),
        sa.Column("latency_ms", sa.Integer(), nullable=True),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name="fk_results_release_id_releases"),
        sa.PrimaryKeyConstraint("release_id", "text_key", name="pk_results"),
    )
    op.create_table(
        "evaluation_batches",
        sa.Column("id", KEY, nullable=False),
        sa.Column("release_id", KEY, nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("searched", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name="fk_evaluation_batches_release_id_releases"),
        sa.PrimaryKeyConstraint("id", name="pk_evaluation_batches"),
    )
    op.create_index(
        "uq_evaluation_batches_open",
        "evaluation_batches",
        ["release_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('creating', 'running', 'answered')"),
        postgresql_where=sa.text("state IN ('creating', 'running', 'answered')"),
    )
    op.create_table(
        "shadows",
        sa.Column("question_id", KEY, nullable=False),
        sa.Column("release_id", KEY, nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(precision=53), nullable=True),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["question_id"], ["questions.id"], name="fk_shadows_question_id_questions"),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name="fk_shadows_release_id_releases"),
        sa.PrimaryKeyConstraint("question_id", "release_id", name="pk_shadows"),
    )
    op.create_table(
        "verdicts",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("question_id", KEY, nullable=False),
        sa.Column("release_id", KEY, nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(precision=53), nullable=True),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["question_id"], ["questions.id"], name="fk_verdicts_question_id_questions"),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name="fk_verdicts_release_id_releases"),
        sa.PrimaryKeyConstraint("number", name="pk_verdicts"),
        sa.UniqueConstraint("id", name="uq_verdicts_id"),
    )
    op.create_index("ix_verdicts_question_id_number", "verdicts", ["question_id", "number"], unique=False)
    op.create_table(
        "corrections",
        sa.Column("question_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("verdict_id", KEY, nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["question_id"], ["questions.id"], name="fk_corrections_question_id_questions"),
        sa.ForeignKeyConstraint(["verdict_id"], ["verdicts.id"], name="fk_corrections_verdict_id_verdicts"),
        sa.PrimaryKeyConstraint("question_id", "seq", name="pk_corrections"),
    )
    _make_append_only()


def _make_append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in HISTORIES:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in HISTORIES:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("corrections")
    op.drop_table("verdicts")
    op.drop_table("shadows")
    op.drop_table("evaluation_batches")
    op.drop_table("results")
    op.drop_table("release_events")
    op.drop_table("releases")
    op.drop_table("finetune_rows")
    op.drop_table("finetunes")
    op.drop_table("datasets")
    op.drop_table("rows")
    op.drop_table("questions")
    op.drop_table("prompt_events")
    op.drop_table("prompts")
    op.drop_table("outbox")
    op.drop_table("inbox")
    op.drop_table("files")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
