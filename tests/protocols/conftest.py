"""What the protocols' tests share says what differed, as the tests themselves do."""

import pytest

pytest.register_assert_rewrite("protocols.golden", "protocols.confusion")
