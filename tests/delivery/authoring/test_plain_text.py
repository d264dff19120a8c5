"""The text part that is made of the HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from delivery.authoring.plain_text import from_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b<br>c</p>", "a\n\nb\nc"),
        ("<ul><li>a</li><li><p>b</p></li></ul>after", "- a\n- b\n\nafter"),
        ("<ol start=3><li>a<ul><li>x</li></ul></li><li>b</li></ol>", "3. a\n  - x\n4. b"),
        ("<table><tr><th>Name</th><th>Price</th></tr><tr><td>Bell</td><td> 12 </td></tr></table>",
         "Name  |  Price\nBell  |  12"),
        ("<table><tr><td>one cell</td></tr></table>", "one cell"),
        ("a<hr>b", "a\n\n--------------------\n\nb"),
        ('<a href="https://x.example/"><img src=l alt="Logo"></a>', "Logo (https://x.example/)"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/"),
        ('<a href="tel:+49301">+49301</a> <a href="mailto:a@x.example">write</a>', "+49301 write (mailto:a@x.example)"),
        ('<img src=x alt=""><img src=y>z', "z"),
        ('<div style="display:none">hidden <b>too<br></b></div>shown', "shown"),
        ('<div style="display: none"><div>a</div></div>b', "b"),
        ("<style>p{}</style><title>t</title><script>x</script>seen", "seen"),
        ("a &lt; b &amp;&nbsp;c", "a < b & c"),
    ],
)  # fmt: skip
def test_what_a_reader_without_html_sees(html, text):
    assert from_html(html) == text


@given(some.text(alphabet="<>/ab=\"' lioutrdhp&;!-", max_size=60))
def test_any_html_has_a_text(html):
    assert isinstance(from_html(html), str)
