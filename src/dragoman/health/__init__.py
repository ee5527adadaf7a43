"""What is known of the targets' health, and what a request does next when one of them fails. Pure: time and chance are given.

Knows no sockets, no configuration and no protocols: only the tree of errors, and how many credentials a provider has.
"""

from dragoman.health.failure import Failure, failure_of
from dragoman.health.health import Change, Health
from dragoman.health.hold import Use
from dragoman.health.policy import Policy
from dragoman.health.target import TargetHealth
from dragoman.health.walk import Try, Walk

__all__ = ["Change", "Failure", "Health", "Policy", "TargetHealth", "Try", "Use", "Walk", "failure_of"]
