"""Text becomes markup by being escaped, and in no other way."""

from __future__ import annotations

from corehost.console.markup import Markup, join, tag


def test_text_is_escaped() -> None:
    """What comes from a database or a package cannot end an element or an attribute."""
    assert tag("p", "<b>&", title='"<x>') == '<p title="&quot;&lt;x&gt;">&lt;b&gt;&amp;</p>'


def test_markup_is_kept() -> None:
    """Elements go into elements as they are; a join of both kinds is markup."""
    assert join([tag("b", "a"), "<"]) == "<b>a</b>&lt;"
    assert isinstance(join(["<"]), Markup)


def test_what_is_none_or_false_is_left_out() -> None:
    """None and False are no children and no attributes; True is an attribute without a value; 0 is shown."""
    assert tag("p", None, False, 0, hidden=True, class_=None, tabindex=0) == '<p hidden tabindex="0">0</p>'
