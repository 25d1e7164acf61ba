"""What reads refuse. The base class is here because services, which may import selectors, build on it."""


class ServiceError(Exception):
    """Base of everything that a selector or service refuses; `message` is for the reader."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(ServiceError):
    """There is no such object, or the person may not see it."""
