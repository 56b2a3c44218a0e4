"""HTML of messages made safe: known ways to run script or to fetch, what has to remain, and what takes long."""

import re
import time
from html.parser import HTMLParser

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.portal.sanitise import sanitise
from gateway.portal.styles import harmless
from gateway.portal.tidy import ATTRIBUTES, tidy

MARK = "Zm9vYmFy"

VECTORS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=http://x.example/x.js></SCRIPT>",
    "<<script>alert(1);//<</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<script/xss src='http://x.example/x.js'></script>",
    "<script>alert(1)",
    "<script\x00>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<img src="x" onerror="alert(1)"',
    "<img/src=x/onerror=alert(1)>",
    '<img """><script>alert(1)</script>">',
    "<img src=javascript:alert(1)>",
    "<img src=JaVaScRiPt:alert(1)>",
    "<img src='jav&#x0A;ascript:alert(1)'>",
    "<img src=`javascript:alert(1)`>",
    "<img src='data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+'>",
    "<img src='data:text/html,<script>alert(1)</script>'>",
    "<img srcset='http://x.example/a.png 2x'>",
    "<img src=//x.example/a.png>",
    "<img src=\\\\x.example\\a.png>",
    "<img src='http://x.example/a.png'>",
    "<img lowsrc='http://x.example/a.png' dynsrc='http://x.example/b'>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href=' &#14; javascript:alert(1)'>x</a>",
    "<a href='&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1)'>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=='>x</a>",
    "<a href='blob:http://x.example/1'>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href=https://x.example ping=https://x.example/p onclick=alert(1)>x</a>",
    "<body onload=alert(1) background='http://x.example/a.png'>",
    "<body background='javascript:alert(1)'>",
    "<div onmouseover='alert(1)' onfocus=alert(1) autofocus tabindex=1>x</div>",
    "<div style='background:url(http://x.example/a.png)'>x</div>",
    "<div style=\"background-image:\\75rl('http://x.example/a.png')\">x</div>",
    "<div style='width:expression(alert(1))'>x</div>",
    "<div style='behavior:url(#x);-moz-binding:url(http://x.example/x.xml#x)'>x</div>",
    "<div style='position:fixed;top:0;left:0;z-index:9'>x</div>",
    "<div style='color:red;/**/background:/**/url(//x.example/a)'>x</div>",
    "<div style='list-style:url(http://x.example/a.png);content:url(x)'>x</div>",
    "<div style='background:image-set(\"http://x.example/a.png\" 1x)'>x</div>",
    "<style>@import 'http://x.example/x.css';</style>",
    "<style>body{background:url(http://x.example/a.png)}</style>",
    "<style><!--</style><script>alert(1)//--></script>",
    "<link rel=stylesheet href=http://x.example/x.css>",
    "<link rel=prefetch href=http://x.example/x>",
    "<meta http-equiv=refresh content='0;url=http://x.example/'>",
    '<meta http-equiv=Content-Security-Policy content="default-src *">',
    "<base href='http://x.example/'>",
    "<iframe src=http://x.example/></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<frameset><frame src=javascript:alert(1)></frameset>",
    "<object data='http://x.example/x.swf'></object><embed src=http://x.example/x.swf>",
    "<applet code=x archive=http://x.example/x.jar></applet>",
    "<form action=http://x.example/><input name=code><button formaction=javascript:alert(1)>x</button></form>",
    "<isindex action=javascript:alert(1) type=image>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><image href=http://x.example/a.png /><use xlink:href='data:image/svg+xml,x'/></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math href='javascript:alert(1)'>x</math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<textarea><img title='</textarea><img src=x onerror=alert(1)>'></textarea>",
    "<title><img title='</title><img src=x onerror=alert(1)>'></title>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'></xmp>",
    "<template><img src=x onerror=alert(1)></template>",
    "<audio src=http://x.example/a onerror=alert(1)></audio><video poster=http://x.example/a.png></video>",
    "<table background='http://x.example/a.png'><tr><td background=javascript:alert(1)>x</table>",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml version='1.0'?><?php echo 1 ?><img src=x onerror=alert(1)>",
    "<a title='\"><img src=x onerror=alert(1)>' href=https://x.example/>x</a>",
    "<p style='font-family:\"</style><script>alert(1)</script>\"'>x</p>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "<img src='cid:other@x.example'>",
    "<x onclick=alert(1) contenteditable>x</x><details ontoggle=alert(1) open>",
]


class Seen(HTMLParser):
    """What a browser would find in the markup."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def assert_harmless(markup: str) -> None:
    for tag, attributes in Seen(markup).tags:
        assert tag in ATTRIBUTES
        assert set(attributes) <= ATTRIBUTES[tag] | {"rel", "target"}
        assert "background" not in attributes
        assert re.fullmatch(r"|(?:https?|mailto|tel):.*", attributes.get("href", ""), re.DOTALL)
        assert re.fullmatch(rf"|cid:{MARK}-\d+|data:image/(png|jpeg|gif|webp|bmp);.*", attributes.get("src", ""))
        assert not re.search(r"url|expression|\\|@|/\*|position", attributes.get("style", ""), re.IGNORECASE)
        if tag == "a":
            assert (attributes["target"], attributes["rel"]) == ("_blank", "noopener noreferrer nofollow")


@pytest.mark.parametrize("vector", VECTORS)
def test_nothing_runs_and_nothing_is_fetched(vector: str) -> None:
    clean = sanitise(f"<p>before</p>{vector}<p>after</p>", {"logo@x.example": 3}, MARK)
    assert_harmless(clean.markup)
    assert "before" in clean.markup
    assert not re.search(r"<script|<style|<svg|<iframe", clean.markup, re.IGNORECASE)


@given(st.lists(st.sampled_from([*VECTORS, "</p>", "</div>", "<b>", "<table>", "<td>", "'", '"', ">", "<!--", "-->"])))
def test_nor_do_they_together(vectors: list[str]) -> None:
    assert_harmless(sanitise("".join(vectors), {}, MARK).markup)


@given(st.text(alphabet="<>/!-='\" abipscrtdv&;#:\n", max_size=200))
def test_nor_does_any_other_text(text: str) -> None:
    assert_harmless(sanitise(text, {}, MARK).markup)


def test_what_is_harmless_remains() -> None:
    clean = sanitise(
        "<p style=\"color: #c00; font-family: 'Segoe UI', sans-serif; position: absolute\">Caf&eacute; &lt; 5 &amp;"
        " more"
        "<table width=100% bgcolor=#fff><tr><td colspan=2 align=center>a<td>b</table><ul><li>one<li>two</ul>"
        '<a href="https://council.example/?a=1&copy=2">link</a><a href="mailto:a@b.example">mail</a>',
        {},
        MARK,
    )
    assert "style=\"color:#c00;font-family:'Segoe UI', sans-serif\"" in clean.markup
    assert "Café &lt; 5 &amp; more" in clean.markup
    assert '<td colspan="2" align="center">a</td><td>b</td>' in clean.markup
    assert "<li>one</li><li>two</li>" in clean.markup
    assert 'href="https://council.example/?a=1&amp;copy=2"' in clean.markup
    assert 'href="mailto:a@b.example"' in clean.markup
    assert clean.left_out == 0


def test_pictures_of_the_message_get_their_number_and_others_are_counted() -> None:
    clean = sanitise(
        '<img src="cid:logo%40x.example" alt=Logo><img src="CID:logo@x.example"><img src="https://t.example/1.gif">'
        '<table background="https://t.example/2.gif"></table><div style="background: url(https://t.example/3.gif)">x</div>'
        '<img src="data:image/png;base64,iVBORw0KGgo="><img src="cid:not-there@x.example">',
        {"logo@x.example": 7},
        MARK,
    )
    assert clean.markup.count(f'src="cid:{MARK}-7"') == 2
    assert "data:image/png;base64,iVBORw0KGgo=" in clean.markup
    assert clean.left_out == 3


def test_lone_surrogates_and_null_are_no_trouble() -> None:
    assert "a" in sanitise("a\ud800b\x00<p>c", {}, MARK).markup


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 200_000,
        "<a " * 300_000,
        "<a b='" * 200_000,
        "<a b=\"'" * 200_000,
        "<!--" * 250_000,
        "<style>" * 150_000,
        "</x" * 300_000,
        "<p>" + "".join(f"<b title={n}>" for n in range(500)) + "<p>x</p>" * 100_000,
        "<table><tr><td>" * 60_000,
        "<b><i></b></i>" * 60_000,
        "<p style='color:" + "a" * 500_000 + "!'>",
        "<p style='color:" + "a " * 250_000 + "!'>",
        "<p style='" + "rgb(" * 250_000 + "'>",
        "&" * 1_000_000,
        "<p title='" + "&" * 1_000_000 + "'>",
        "a\xa0" * 500_000,
        "<i>" * 100 + "a\xa0<i>" * 500_000,
        "<p title='" + "a\xa9" * 500_000 + "'>",
    ],
    ids=lambda markup: str(markup)[:12],
)
def test_no_markup_takes_long(markup: str) -> None:
    started = time.process_time()
    clean = sanitise(markup, {}, MARK)
    assert time.process_time() - started < 8
    assert len(clean.markup) < 10 * len(markup) + 10_000


@given(
    st.lists(
        st.sampled_from("p b i a div li ul ol td tr table tbody th caption h1 dd dt dl col span".split()).flatmap(
            lambda name: st.sampled_from([f"<{name}>", f"<{name}>", f"</{name}>", "x"])
        ),
        max_size=60,
    )
)
def test_the_parser_has_nothing_to_open_again(tags: list[str]) -> None:
    regular = tidy("".join(tags))
    parsed = nh3.clean(regular, tags=set(ATTRIBUTES), link_rel=None)
    for name in ("b", "i", "a", "div", "li", "ul", "span"):
        assert parsed.count(f"<{name}>") == regular.count(f"<{name}>")


@given(st.text(alphabet="<>/!-='\" abipulthdr", max_size=200))
def test_tidy_markup_is_nested_as_it_stands(text: str) -> None:
    opened: list[str] = []
    for close, name in re.findall(r"<(/?)(\w+)(?: [^<>]*(?:\"[^\"]*\"[^<>]*)*)?>", tidy(text)):
        if close:
            assert opened.pop() == name
        elif name not in ("br", "col", "hr", "img", "wbr"):
            opened.append(name)
    assert not opened


@given(st.text(alphabet="abc<>é\u202e;&", max_size=100))
def test_tidy_keeps_every_word_of_plain_text(text: str) -> None:
    plain = text.replace("<", " ").replace("&", " ")
    assert "".join(Seen(tidy(plain)).words) == plain


def test_many_ampersands_stay_in_text_and_take_their_attribute_away() -> None:
    assert sanitise("&nbsp;" * 2500 + "x", {}, MARK).markup == "&nbsp;" * 2500 + "x"
    assert tidy(f"<p title='{'&' * 999}' lang='{'&' * 1000}'></p>") == f'<p title="{"&" * 999}"></p>'


def test_an_unfinished_last_tag_is_text() -> None:
    assert tidy("one <b>two</b> three <a href='x") == "one <b>two</b> three &lt;a href='x"


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        ("color:red", "color:red"),
        (" COLOR : rgb(1, 2, 3) ; x:y", "color:rgb(1, 2, 3)"),
        ("margin:0 auto!important", "margin:0 auto!important"),
        ("font:bold 12px/1.5 Arial, 'Times New Roman'", "font:bold 12px/1.5 Arial, 'Times New Roman'"),
        ("border-left:1px solid #ccc", "border-left:1px solid #ccc"),
        ("color:var(--x)", ""),
        ("color:u\\72l(x)", ""),
        ("background:red", ""),
        ("font-family:'a;color:red", "color:red"),
        ("width:calc(1px)", ""),
        ("color:", ""),
        ("", ""),
    ],
)
def test_declarations(style: str, kept: str) -> None:
    assert harmless(style) == kept
