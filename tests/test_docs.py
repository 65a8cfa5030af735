"""Pages that are made from the code are as the code is."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not (ROOT / "tools" / "operations_page.py").exists(), reason="needs a checkout")
def test_the_page_of_operations_is_up_to_date():
    spec = importlib.util.spec_from_file_location("operations_page", ROOT / "tools" / "operations_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.page()
    assert "### batch_norm_forward\n" in text
    assert module.PAGE.read_text(encoding="utf-8") == text, "run python tools/operations_page.py"
