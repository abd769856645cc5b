"""What the treatment is built from is copied, unless a gate stopped it or it is gone."""

from __future__ import annotations

import pytest

from infra.errors import CatwalkError, InputError
from infra.storage import Storage
from models.ab_tests.plan_ab_test import plan_ab_test
from models.ab_tests.prepare_treatment import prepare_treatment
from models.ab_tests.wish import wish_of
from tests.models.ab_tests.test_start_ab_test import ARM, FORM, released
from tests.models.conftest import RUN, save_gate


def test_tables_that_are_gone_or_were_stopped_are_no_ground_for_a_test(shop: Storage) -> None:
    released(shop)
    plan_ab_test(shop, ARM, wish_of(FORM))
    save_gate(shop, RUN, "stopped", "interactions")
    with pytest.raises(CatwalkError, match="interactions of .* stopped"):
        prepare_treatment(shop, ARM)
    save_gate(shop, RUN, gate="interactions")
    shop.lake.store.delete_folder(f"history/{RUN}")
    with pytest.raises(InputError, match="after the next release"):
        prepare_treatment(shop, ARM)
