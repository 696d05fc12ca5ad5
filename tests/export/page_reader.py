"""A page as a reader meets it: its elements, its headings, its visible and spoken texts."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input", "path", "use", "rect"}
SPOKEN = ("aria-label", "alt", "title")


class Page(HTMLParser):
    """Read once: ``elements`` in order, each a dict of tag, attributes, own text and the tags around it."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self._open = [], []
        self.feed(text)
        self.unclosed = [self.elements[k]["tag"] for k in self._open]

    def handle_starttag(self, tag, attrs):
        around = [self.elements[k]["tag"] for k in self._open]
        self.elements.append({"tag": tag, "attrs": dict(attrs), "text": "", "around": around,
                              "inside": list(self._open)})
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        opened = self.elements[self._open[-1]]["tag"]
        assert opened == tag, f"</{tag}> closes {opened}"
        self._open.pop()

    def handle_data(self, data):
        if self._open:
            self.elements[self._open[-1]]["text"] += data

    def all(self, *tags):
        """Return the elements of these tags, in order."""
        return [element for element in self.elements if element["tag"] in tags]

    def within(self, outer):
        """Return every element inside an element."""
        k = self.elements.index(outer)
        return [element for element in self.elements if k in element["inside"]]

    def texts(self):
        """Return what a reader sees or hears, in order: texts, spoken attributes, no code or style."""
        found = []
        for element in self.elements:
            if element["tag"] in ("style", "script", "code"):
                continue
            found += [element["attrs"][name] for name in SPOKEN if element["attrs"].get(name)]
            found.append(" ".join(element["text"].split()))
        return [text for text in found if re.search(r"[^\W\d_]{2}", text)]
