"""Every method has a role, and no other has."""

from quipu_server.access.domain import Role
from quipu_server.rpc.roles import ROLES
from tests.descriptors import METHODS

READS = ("Get", "List", "BatchGet", "Search", "Watch", "Describe", "Embed", "CountTokens", "PackContext")


def test_every_method_of_the_definition_says_which_role_it_needs() -> None:
    assert set(ROLES) == set(METHODS)


def test_reading_is_for_readers_and_the_rest_is_not() -> None:
    for method, role in ROLES.items():
        service, name = method.rsplit("/", 1)
        if service.endswith("AdminService"):
            assert role >= Role.ADMIN, method
        else:
            assert role is (Role.READ if name.startswith(READS) else Role.WRITE), method
