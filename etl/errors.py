"""What can go wrong, in words for people. Each class says which exit status the command line gives it."""


class ClusterbridgeError(Exception):
    """Any failure the project expects; its text says what is wrong, where, and what to do."""

    exit_status = 1


class UsageError(ClusterbridgeError):
    """The caller asked for something that cannot be: an unknown dataset, a root that cannot be read."""

    exit_status = 2


class TransientError(ClusterbridgeError):
    """A publisher or the storage did not answer as it should; trying again later may help."""


class DataError(ClusterbridgeError):
    """The data are wrong; trying again will not help."""


class SourceFormatError(DataError):
    """A file is not in the format its reader expects, or holds a code nobody declared."""


class ImplausibleError(SourceFormatError):
    """A file can be read, but its figures can hardly be whole or right. A person who knows better may accept them."""


class ConservationError(DataError):
    """A step lost or invented an amount: in is not out plus unmapped."""


class GateError(DataError):
    """The validation gate refused the tables."""


class IntegrityError(DataError):
    """Bytes on disk are not what their hash says."""


class NothingAvailableError(ClusterbridgeError):
    """Nothing that was asked for could be had."""
