"""The tables. Each change needs a migration; a test compares tables and migrations."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from storage.types import DOCUMENT, BigNumber, KeyText, Moment, WrittenText

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", BigNumber, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    # `team:channel:ts` of the message; several events may deliver the same message.
    Column("place", Text),
    Column("arrival", DOCUMENT, nullable=False),
    Column("received_at", Moment, nullable=False),
    # The end of a lease or of a postponement: the entry cannot be claimed before.
    Column("due_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("holder", Text),
    Column("token", Text),
    Column("ending", Text),
    Column("why", WrittenText),
    Column("ended_at", Moment),
    # Not in the document: programs of revision 0001 refuse unknown fields there.
    Column("audience", Text, nullable=False, server_default="unknown"),
    # The quotes and authors of an arrival. An older program that does not know them answers the asker's words alone.
    Column("others", DOCUMENT),
    Index(None, "place"),
)
Index(
    "ix_inbox_open",
    inbox.c.id,
    inbox.c.due_at,
    sqlite_where=inbox.c.ending.is_(None),
    postgresql_where=inbox.c.ending.is_(None),
)
TOO_MANY_ASKED = text("why = 'too_many'")
"""The condition of the partial index, so that queries use it."""
Index("ix_inbox_limited", inbox.c.ended_at, sqlite_where=TOO_MANY_ASKED, postgresql_where=TOO_MANY_ASKED)

prompts = Table(
    "prompts",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("body", DOCUMENT, nullable=False),
)

prompt_events = Table(
    "prompt_events",
    metadata,
    Column("number", BigNumber, primary_key=True),
    Column("prompt_id", ForeignKey("prompts.id"), nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("folder", Text),
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("prompt_id", ForeignKey("prompts.id"), nullable=False),
    Column("manifest", DOCUMENT, nullable=False),
    Column("created_at", Moment, nullable=False),
)

finetunes = Table(
    "finetunes",
    metadata,
    Column("number", BigNumber, primary_key=True),
    Column("id", KeyText, nullable=False, unique=True),
    Column("student", Text, nullable=False),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    Column("prompt_id", ForeignKey("prompts.id"), nullable=False),
    Column("estimate", DOCUMENT, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("file_id", Text),
    Column("job_id", Text),
    Column("model", Text),
    Column("error", WrittenText),
    Column("progress", WrittenText),
    Column("searched", Integer, nullable=False),
    Column("trained_tokens", Integer),
    Column("channel", Text),
    Column("channel_ts", Text),
    Column("started_at", Moment),
    Column("progressed_at", Moment),
    Column("stalled_at", Moment),
    Column("trust", Float(53)),
)

finetune_rows = Table(
    "finetune_rows",
    metadata,
    Column("finetune_id", ForeignKey("finetunes.id"), primary_key=True),
    # No foreign key: when a row is erased, the record that a fine-tune was trained on it stays.
    Column("row_id", KeyText, primary_key=True),
    # The text at the time of the training; the row may have changed since. Programs of revision 0001 leave it NULL.
    Column("text", Text),
)

# The answers of a fine-tune to the rows it was trained on, each by a model that did not learn from the row's fold.
out_of_fold = Table(
    "out_of_fold",
    metadata,
    Column("finetune_id", ForeignKey("finetunes.id"), primary_key=True),
    # No foreign key, as in `finetune_rows`.
    Column("row_id", KeyText, primary_key=True),
    Column("fold", Integer, nullable=False),
    Column("category", Text, nullable=False),
    Column("confidence", Float(53)),
    Column("apart", Boolean, nullable=False),
    Column("revision", Text),
)

# Trained versions and paid trainings that are proposed. There is at most one in each state that is not an end.
proposals = Table(
    "proposals",
    metadata,
    Column("finetune_id", ForeignKey("finetunes.id"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("release_id", Text),
    Column("over", Text),
    Column("fixed", Integer, nullable=False),
    Column("broken", Integer, nullable=False),
    Column("missing", Integer),
    Column("usd", Float(53)),
    Column("by", Text),
    # The messages that show it: channel → ts.
    Column("shown", DOCUMENT, nullable=False),
)
_UNDER_WAY = text("state IN ('asking', 'training', 'open')")
Index(
    "uq_proposals_state",
    proposals.c.state,
    unique=True,
    sqlite_where=_UNDER_WAY,
    postgresql_where=_UNDER_WAY,
)

releases = Table(
    "releases",
    metadata,
    Column("number", BigNumber, primary_key=True),
    Column("id", KeyText, nullable=False, unique=True),
    Column("model", Text, nullable=False),
    Column("prompt_id", ForeignKey("prompts.id"), nullable=False),
    Column("recall", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("finetune_id", ForeignKey("finetunes.id")),
    Column("created_at", Moment, nullable=False),
    Column("unsure_below", Float(53)),
    # The revision of the embedded model under which the threshold was chosen, `@` and that threshold: a replica of an
    # earlier version changes only the threshold. NULL for other models, and from before.
    Column("unsure_revision", Text),
    # A trigger fills both for a new release, so that the database alone gives the numbers.
    Column("version", Integer),
    Column("examples", Integer),
    Index("uq_releases_version", "version", unique=True),
)
Index(
    "uq_releases_serving",
    releases.c.state,
    unique=True,
    sqlite_where=text("state = 'serving'"),
    postgresql_where=text("state = 'serving'"),
)

release_events = Table(
    "release_events",
    metadata,
    Column("number", BigNumber, primary_key=True),
    Column("release_id", ForeignKey("releases.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", WrittenText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("note", WrittenText),
)

questions = Table(
    "questions",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("text", WrittenText, nullable=False),
    Column("asker", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("ts", Text, nullable=False),
    Column("thread_ts", Text),
    Column("via", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("cut", Boolean, nullable=False),
    Column("card_ts", Text),
    Column("late", Boolean, nullable=False, server_default=false()),
    Column("unread", WrittenText),
    # The settled category. It repeats the corrections, so that open questions are found fast in a large table.
    Column("settled", Text),
    Column("audience", Text, nullable=False, server_default="unknown"),
    # The other people whose words the text holds, and what they said to their use.
    Column("authors", DOCUMENT),
    # Whether staff said last that it is no question. It repeats `review_marks`, so that the queue is read fast.
    Column("set_aside", Boolean, nullable=False, server_default=false()),
    # Whether one of them has not agreed. It repeats `authors` for the triggers that refuse a row of such a text.
    Column("withheld", Boolean, nullable=False, server_default=false()),
    # The asker's decision about a direct message. NULL counts as kept private; programs before 0013 write NULL.
    Column("disclosure", Text),
    # The message's first question. The second one has `/2` at the end of its ts, because the first one has the ts.
    Column("part_of", Text),
    UniqueConstraint("team", "channel", "ts"),
    # Reactions name the card by its ts.
    Index(None, "card_ts"),
    Index(None, "asker", "asked_at"),
)

_UNKNOWN = text("audience = 'unknown'")
Index("ix_questions_audience_unknown", questions.c.channel, sqlite_where=_UNKNOWN, postgresql_where=_UNKNOWN)

_WITH_AUTHORS = text("authors IS NOT NULL")
Index("ix_questions_authors", questions.c.id, sqlite_where=_WITH_AUTHORS, postgresql_where=_WITH_AUTHORS)

_OPEN = text("settled IS NULL AND card_ts IS NOT NULL")
Index("ix_questions_open", questions.c.asked_at, sqlite_where=_OPEN, postgresql_where=_OPEN)

# The posts of direct messages that their askers sent on. Replies in these threads are passed on to the asker.
sent_messages = Table(
    "sent_messages",
    metadata,
    Column("channel", KeyText, primary_key=True),
    Column("ts", KeyText, primary_key=True),
    Column("question_id", ForeignKey("questions.id"), nullable=False),
)

results = Table(
    "results",
    metadata,
    Column("release_id", ForeignKey("releases.id"), primary_key=True),
    Column("text_key", KeyText, primary_key=True),
    # With a revision, the key ends in it: replicas of two versions never overwrite each other's results.
    Column("revision", Text),
    Column("category", Text, nullable=False),
    Column("confidence", Float(53)),
    Column("latency_ms", Integer),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("at", Moment, nullable=False),
)

evaluation_batches = Table(
    "evaluation_batches",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("release_id", ForeignKey("releases.id"), nullable=False),
    Column("batch_id", Text),
    Column("state", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("searched", Integer, nullable=False),
    Column("revision", Text),
)
_RUNNING = text("state IN ('creating', 'running', 'answered')")
Index(
    "uq_evaluation_batches_open",
    evaluation_batches.c.release_id,
    unique=True,
    sqlite_where=_RUNNING,
    postgresql_where=_RUNNING,
)

shadows = Table(
    "shadows",
    metadata,
    Column("question_id", ForeignKey("questions.id"), primary_key=True),
    Column("release_id", ForeignKey("releases.id"), primary_key=True),
    Column("category", Text, nullable=False),
    Column("confidence", Float(53)),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("at", Moment, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("number", BigNumber, primary_key=True),
    Column("id", KeyText, nullable=False, unique=True),
    Column("question_id", ForeignKey("questions.id"), nullable=False),
    Column("release_id", ForeignKey("releases.id"), nullable=False),
    Column("category", Text, nullable=False),
    Column("reason", WrittenText, nullable=False),
    Column("confidence", Float(53)),
    Column("latency_ms", Integer, nullable=False),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("provisional", Boolean, nullable=False, server_default=false()),
    # The row whose settlement was repeated as the answer, and when it was settled; NULL if a model answered.
    Column("settled_row", Text),
    Column("row_settled_at", Moment),
    # The revision of the embedded model that answered; NULL for other models, and from before.
    Column("revision", Text),
    # The ids of the other categories, the likeliest first; NULL from before.
    Column("others", DOCUMENT),
    Index(None, "question_id", "number"),
    Index(None, "at"),
)

corrections = Table(
    "corrections",
    metadata,
    Column("question_id", ForeignKey("questions.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("verdict_id", ForeignKey("verdicts.id"), nullable=False),
    Column("category", Text, nullable=False),
    Column("reason", WrittenText),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Index(None, "by", "at"),
)

# Those after the first, which few questions have: where people disagree or agree is told by them alone.
_AGAIN = text("seq > 1")
Index(
    "ix_corrections_again", corrections.c.question_id, corrections.c.seq, sqlite_where=_AGAIN, postgresql_where=_AGAIN
)

# Marks of staff on the review queue that settle no question: `key` is a question's or a conflict's.
review_marks = Table(
    "review_marks",
    metadata,
    Column("number", BigNumber, primary_key=True),
    Column("key", KeyText, nullable=False),
    Column("kind", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
    # Settled conflicts only: imported row → its earlier category, source and reason. Questions have corrections.
    Column("before", DOCUMENT),
    Index(None, "by", "at"),
)

# Askers' feedback on answers.
feedback = Table(
    "feedback",
    metadata,
    Column("question_id", ForeignKey("questions.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("words", WrittenText),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

# Owners' reactions to questions and cards.
signals = Table(
    "signals",
    metadata,
    Column("question_id", ForeignKey("questions.id"), primary_key=True),
    Column("message_ts", KeyText, primary_key=True),
    Column("kind", KeyText, primary_key=True),
    Column("by", KeyText, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
)

rows = Table(
    "rows",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("text", WrittenText, nullable=False),
    Column("group", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("reason", WrittenText),
    Column("split", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("team", Text),
    Column("channel", Text),
    Column("ts", Text),
    Column("origin", WrittenText),
    Column("settled_at", Moment, nullable=False),
    Column("withdrawn_at", Moment),
    # The last change of any kind. An index in memory reads the rows that changed since its last read.
    Column("touched_at", Moment, nullable=False),
    Column("audience", Text, nullable=False, server_default="unknown"),
    # Groups, then whatever decides if a row counts, so that counting rows of many groups reads no texts.
    Index("ix_rows_of_groups", "group", "split", "withdrawn_at", "audience", "channel", "settled_at", "id"),
    Index(None, "touched_at", "id"),
    # How many rows a person settled on a day, for each row that would answer.
    Index(None, "by", "settled_at"),
    # What the status counts rows by, then whatever decides if a row counts, so that it neither reads texts nor sorts.
    Index(
        *("ix_rows_counted", "category", "split", "source", "by"),
        *("withdrawn_at", "audience", "channel", "settled_at", "id"),
    ),
    # A deleted message is looked for by its place.
    Index(None, "channel", "ts"),
)
Index("ix_rows_audience_unknown", rows.c.channel, sqlite_where=_UNKNOWN, postgresql_where=_UNKNOWN)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigNumber, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("payload", DOCUMENT, nullable=False),
    Column("added_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("holder", Text),
    Column("token", Text),
    Column("error", WrittenText),
    Index(None, "topic", "key", "id"),
    Index(None, "topic", "id"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", KeyText, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("until", Moment, nullable=False),
)

# Admins' decisions about rows that were set aside. No foreign key: a decision about an erased row does no harm.
looks = Table(
    "looks",
    metadata,
    Column("row_id", KeyText, primary_key=True),
    Column("settled_at", Moment, nullable=False),
    Column("keep", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

# Each person's questions of the last days: times and hashes of ids, for the limit per hour.
askers = Table(
    "askers",
    metadata,
    Column("person", KeyText, primary_key=True),
    Column("lately", DOCUMENT, nullable=False),
    Column("asked_at", Moment, nullable=False),
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("version", Text, nullable=False),
    Column("release_id", Text),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", KeyText, primary_key=True),
    Column("position", Text, nullable=False),
    Column("moved_at", Moment, nullable=False),
)

# A single row, written by migrations: the oldest revision whose program may still use this database.
oldest_program = Table("oldest_program", metadata, Column("revision", Text, primary_key=True))

files = Table(
    "files",
    metadata,
    Column("name", KeyText, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

# Vectors from a service (BOT_ENCODER=provider/model), by the sha256 of the text. The text itself is not stored here.
embeddings = Table(
    "embeddings",
    metadata,
    Column("model", KeyText, primary_key=True),
    Column("text_hash", KeyText, primary_key=True),
    # The vector's numbers as little-endian float16.
    Column("vector", LargeBinary, nullable=False),
    # To within a day. The vectors that were not used for the longest time are deleted first.
    Column("used_at", Moment, nullable=False),
    Index(None, "used_at"),
)

embedding_tokens = Table(
    "embedding_tokens",
    metadata,
    Column("model", KeyText, primary_key=True),
    # A date (UTC) as text, such as 2026-11-22.
    Column("day", KeyText, primary_key=True),
    Column("tokens", BigNumber, nullable=False),
)

# The audit log: a chain of hashes, without any text of a question.
audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", BigNumber, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("thing", Text, nullable=False),
    Column("facts", DOCUMENT, nullable=False),
    Column("before", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

# The people behind the aliases of the audit log. A deleted row makes the person unknown, and the chain still holds.
audit_people = Table(
    "audit_people",
    metadata,
    Column("user_id", KeyText, primary_key=True),
    Column("alias", KeyText, nullable=False, unique=True),
)

# Requests to forget, their progress, and the report. `target` is deleted with the report of a person.
forget_requests = Table(
    "forget_requests",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("target", Text),
    Column("by", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("counts", DOCUMENT, nullable=False),
    Column("left", DOCUMENT, nullable=False),
    Column("trained", DOCUMENT, nullable=False),
)

# Messages that were forgotten, without their text: they are not read again. `group_hash` is keyed.
tombstones = Table(
    "tombstones",
    metadata,
    Column("place", KeyText, primary_key=True),
    Column("group_hash", Text),
    Column("at", Moment, nullable=False),
)

# Tokens of forgotten answers by release and date (UTC), those of live answers apart, so that the budget counts them.
forgotten_tokens = Table(
    "forgotten_tokens",
    metadata,
    Column("release_id", KeyText, primary_key=True),
    Column("day", KeyText, primary_key=True),
    Column("live", Boolean, primary_key=True),
    Column("tokens_in", BigNumber, nullable=False),
    Column("tokens_out", BigNumber, nullable=False),
)

# Files and lists in Slack that show questions: ids of what they show, and where they stand.
posts = Table(
    "posts",
    metadata,
    Column("id", KeyText, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("holds", DOCUMENT, nullable=False),
    Column("ts", Text),
    Column("files", DOCUMENT, nullable=False),
    # Whether its removal is in the outbox.
    Column("leaving", Boolean, nullable=False, server_default=false()),
)

# Filled only within a transaction that forgets: with a row here, the triggers let histories be erased.
erasing = Table("erasing", metadata, Column("id", Integer, primary_key=True, autoincrement=False))
