"""What can go wrong with the records, named for what the caller can do about it."""


class RecordsError(Exception):
    """Base of them all."""


class Conflict(RecordsError):
    """Somebody else was first: a record this commit was based on has changed.  Look again and decide anew."""


class Duplicate(Conflict):
    """A unique column of an inserted or changed record is taken by another record."""


class Referenced(Conflict):
    """A deleted record is still referred to, or a record refers to one that is gone."""


class Unavailable(RecordsError):
    """The database cannot be asked now.  Whether a commit that got this took effect is not known."""


class Invalid(RecordsError):
    """A record holds a value that its column cannot: out of bounds, or text that the database cannot keep."""
