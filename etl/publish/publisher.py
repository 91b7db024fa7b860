"""Publishing: a draft becomes an immutable version, whole or not at all, then the pointer moves."""

from etl.publish.draft import Draft
from etl.publish.folder import publish_in_folder
from etl.publish.objects import publish_as_objects
from etl.publish.outcome import Published, settled
from etl.publish.versions import advance_pointer
from etl.storage import Storage


def publish(storage: Storage, draft: Draft) -> Published:
    """Publish a draft, or find that its content is published already.

    Raises OvertakenError where another version came up since the draft was compared with `draft.previous`,
    IntegrityError naming a file whose bytes are not what the draft says, TransientError where the storage is full or
    does not answer. Whatever is raised, the versions before stand and the pointer names one of them.
    """
    done = settled(storage, draft)
    if done is not None:
        return done
    publish_there = publish_as_objects if storage.root.startswith("s3://") else publish_in_folder
    published = publish_there(storage, draft, draft.complete_parts())
    advance_pointer(storage)
    return published
