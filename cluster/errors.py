"""Every error that Dazzle raises on purpose.

    DazzleError
    ├── InputError              the caller's fault
    │   ├── CaseInvalid         a record that is not a readable phenopacket
    │   ├── SourceUnreadable    a path or archive from which nothing can be read
    │   ├── EventInvalid        an access event that cannot be counted
    │   ├── SettingInvalid      an unknown setting, or a value out of range
    │   ├── WindowInvalid       an access window that a trend model cannot take
    │   ├── ImageSetRefused     a set of images of which nothing is taken
    │   ├── WeightsInvalid      starting weights that are absent, other ones, or do not fit
    │   └── ModelRefused        an image model that is not whole or not true to its card
    ├── PolicyRefusal           not allowed, by rule
    ├── NotFound                no such case, platform or model
    ├── Withdrawn               a case that its home has taken back
    ├── Conflict                the same key with another content
    └── Fault                   ours, or the machine's
        ├── StoreUnavailable    a ledger that is locked, damaged or of a newer version
        ├── IntegrityError      stored bytes that no longer match their digest
        ├── Unreachable         nothing can be had from a server or a folder that stands for one
        ├── NoSpace             a disk is full, or a limit on what may be kept is reached
        └── ModelNotReady       no trend model has been published yet

All fields go to ``super().__init__``: an exception that Ray carries is rebuilt from ``args``.
Messages carry codes and ids, never patient data.
"""


class DazzleError(Exception):
    """A problem with a stable code, the place where it is, and what to do about it."""

    code = "error"

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.code}: {self.what}{place}.{remedy}"


class InputError(DazzleError):
    """The caller's fault."""

    code = "input_invalid"


class CaseInvalid(InputError):
    """A record is not a readable phenopacket."""

    code = "case_invalid"


class SourceUnreadable(InputError):
    """Nothing can be read from a path or archive."""

    code = "source_unreadable"


class EventInvalid(InputError):
    """An access event cannot be counted."""

    code = "event_invalid"


class SettingInvalid(InputError):
    """A setting is unknown or out of its range."""

    code = "setting_invalid"


class WindowInvalid(InputError):
    """An access window does not fit the trend model."""

    code = "window_invalid"


class ImageSetRefused(InputError):
    """Nothing of a set of images is taken; ``where`` holds the code of the finding."""

    code = "image_set_refused"


class WeightsInvalid(InputError):
    """Starting weights are absent, are not those that were named, or do not fit the network."""

    code = "weights_invalid"


class ModelRefused(InputError):
    """An image model is not taken; ``where`` holds the place of the first problem."""

    code = "model_refused"


class PolicyRefusal(DazzleError):
    """A rule forbids it."""

    code = "policy_refused"


class NotFound(DazzleError):
    """There is no such case, platform or model."""

    code = "not_found"


class Withdrawn(DazzleError):
    """A case was here until its home took it back."""

    code = "case_withdrawn"


class Conflict(DazzleError):
    """A key was used before with another content."""

    code = "conflict"


class Fault(DazzleError):
    """Dazzle's own fault, or the machine's."""

    code = "fault"


class StoreUnavailable(Fault):
    """A ledger is locked, damaged or of a newer version."""

    code = "store_unavailable"


class IntegrityError(Fault):
    """Stored bytes no longer match their digest."""

    code = "integrity_error"


class Unreachable(Fault):
    """Nothing can be had from a server, or from a folder that stands for one."""

    code = "unreachable"


class NoSpace(Fault):
    """A disk is full, or what may be kept has reached its limit."""

    code = "no_space"


class ModelNotReady(Fault):
    """No trend model has been published."""

    code = "model_not_ready"
