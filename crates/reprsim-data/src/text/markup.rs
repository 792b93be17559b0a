//! Whether a text is the source of a page or of a document, whatever it is called.

/// What a text is that begins with these letters, whatever their case.
const BEGINNINGS: [(&str, &str, &str); 7] = [
    ("<!doctype html", "HTML", FROM_HTML),
    ("<html", "HTML", FROM_HTML),
    ("<?xml", "XML", FROM_XML),
    ("<!doctype", "XML", FROM_XML),
    (
        "%!ps",
        "PostScript",
        "take its text out, for example with: ps2ascii",
    ),
    ("\\documentclass", "LaTeX", FROM_LATEX),
    ("\\begin{document}", "LaTeX", FROM_LATEX),
];
const FROM_HTML: &str = "take its text out, for example with: pandoc -f html -t plain";
const FROM_XML: &str =
    "take its text out and write it as JSON lines, {\"text\": \"...\"} a document";
const FROM_LATEX: &str = "take its text out, for example with: pandoc -f latex -t plain";
/// A text with fewer elements that are closed is none of mark-up.
const FEWEST: usize = 3;
/// Nor is one where so many bytes come on one of them, unless it begins with one.
const THINNEST: usize = 400;
/// Elements that prose may have, and even begin with.
const INLINE: [&str; 14] = [
    "a", "abbr", "b", "code", "em", "font", "i", "kbd", "small", "strong", "sub", "sup", "tt", "u",
];
/// Elements whose tags mark sentences in corpora of prose.
const OF_CORPORA: [&str; 1] = ["s"];

/// What mark-up a text is, and how to make text of it. In `light` mark-up, as of Markdown, some
/// elements are text.
pub(super) fn kind(text: &str, light: bool) -> Option<(&'static str, &'static str)> {
    let begin = begin(text);
    let starts = |with: &str| {
        begin
            .get(..with.len())
            .is_some_and(|b| b.eq_ignore_ascii_case(with))
    };
    if let Some((_, what, remedy)) = BEGINNINGS.iter().find(|(with, ..)| starts(with)) {
        return Some((what, remedy));
    }
    match !light && is_of_elements(text, begin) {
        true => Some(("HTML or XML", FROM_HTML)),
        false => None,
    }
}

/// A text without the comments that it begins with.
fn begin(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        let rest = match () {
            () if text.starts_with("<!--") => text.split_once("-->"),
            // Of TeX.
            () if text.starts_with("% ") => text.split_once('\n'),
            () => None,
        };
        match rest {
            Some((_, rest)) => text = rest,
            None => return text,
        }
    }
}

/// Whether a text has elements as pages do: some that are no words in prose, from its beginning on or
/// all over it.
fn is_of_elements(text: &str, begin: &str) -> bool {
    let (mut open, mut closed) = (Vec::new(), 0);
    let is_word = |name: &str| {
        let mut words = INLINE.iter().chain(&OF_CORPORA);
        words.any(|word| name.eq_ignore_ascii_case(word))
    };
    for tag in tags(text) {
        match tag.strip_prefix("</") {
            None => open.push(name(&tag[1..])),
            Some(rest) => {
                let name = name(rest);
                if let Some(at) = open.iter().rposition(|other| *other == name) {
                    open.truncate(at);
                    closed += usize::from(!is_word(name));
                }
            }
        }
    }
    let first = tags(begin).next().filter(|tag| begin.starts_with(tag));
    let begins = first.is_some_and(|tag| !is_word(name(&tag[1..])));
    closed >= FEWEST && (begins || closed * THINNEST >= text.len())
}

/// The tags of elements, as they are written.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let begin = &rest[rest.find('<')?..];
            let named = begin[1..].trim_start_matches('/');
            let end = begin[1..].find(['<', '>']).map_or(begin.len(), |at| at + 1);
            rest = &begin[end..];
            if named.starts_with(|c: char| c.is_ascii_alphabetic()) && rest.starts_with('>') {
                return Some(&begin[..=end]);
            }
        }
    })
}

/// The name that a tag begins with.
fn name(tag: &str) -> &str {
    let end = tag.find(|c: char| c.is_whitespace() || c == '>' || c == '/');
    &tag[..end.unwrap_or(tag.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_documents_are_told() {
        let long = format!("<p>{}</p>\n", "words and more ".repeat(100)).repeat(9);
        let rows = "<li><a href=\"x\">a word</a></li>\n".repeat(9);
        for (text, what) in [
            ("<!DOCTYPE html>\n<title>x</title>", "HTML"),
            ("\n<HTML><body>words", "HTML"),
            ("<!-- saved -->\n<html>", "HTML"),
            ("<?xml version=\"1.0\"?>\n<a/>", "XML"),
            ("<!DOCTYPE TEI.2 SYSTEM \"x\">", "XML"),
            (
                "<p>One.</p>\n<p>Two, with <i>more</i>.</p><p>Three.</p>",
                "HTML or XML",
            ),
            (&long, "HTML or XML"),
            (
                "<doc><title>x</title><body>words</body></doc>",
                "HTML or XML",
            ),
            (&format!("Skip to content\n<ul>{rows}</ul>"), "HTML or XML"),
            ("% A paper.\n\\documentclass{article}", "LaTeX"),
            ("%!PS-Adobe-3.0", "PostScript"),
        ] {
            assert_eq!(kind(text, false).map(|k| k.0), Some(what), "{text}");
        }
    }

    #[test]
    fn prose_with_signs_is_no_mark_up() {
        for text in [
            "a < b, and b > c: so <much> for that.\n",
            "To make it bold write <b>bold</b>, to make it a link write <a href=\"x\">x</a>, and <i>so</i> \
             on; all of this is explained further below, where there is more room for it.\n",
            "<s> One sentence . </s>\n<s> Another . </s>\n<s> A third . </s>\n<s> More . </s>\n",
            "<|endoftext|>\nOnce upon a time <unk> went <unk>\n",
            "<he came in> and said </nothing>\n",
            "<b>once</b>, at the beginning, and never again",
            "<i>A title</i> with <b>words</b> of <i>weight</i>, <em>and</em> more <i>of them</i>",
            "100% of it, % of that",
            "\\emph{a word} is no document",
            "<",
            "",
        ] {
            assert_eq!(kind(text, false), None, "{text}");
        }
        let page = "<p align=\"center\"><img src=\"x\"></p><p>A</p><p>B</p>\n\n# Title\n";
        assert_eq!(kind(page, true), None, "Markdown may hold it");
        assert!(kind(page, false).is_some());
    }
}
