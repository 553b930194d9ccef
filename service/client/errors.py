"""What a call may raise. All carry the service's problem, where there is one."""

from service.client.answers import Problem
from service.errors import FirstseenError


class ServiceFailed(FirstseenError):
    """The service did not do what was asked."""

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.problem = problem


class GaveUp(ServiceFailed):
    """The service could not be reached, or did not take items, for as long as the caller was ready to wait.

    What was not answered may or may not be counted: send it again under the same ids.
    """


class Refused(ServiceFailed):
    """The service will not do what is asked, however often. The message says why."""
