//! Colours, once for the page (as CSS variables, light and dark) and once for files (as
//! fixed values).

/// The colour-blind safe palette of Okabe and Ito for axes (by name) and series (in
/// order); greys for the rest: name, value on light, value on dark.
const COLOURS: [(&str, &str, &str); 21] = [
    ("ink", "#1b1f24", "#e6edf3"),
    ("soft", "#59636e", "#9da7b3"),
    ("paper", "#ffffff", "#0d1117"),
    ("panel", "#f6f8fa", "#161b22"),
    ("rule", "#d8dee4", "#30363d"),
    ("warn", "#9a6700", "#d29922"),
    ("data", "#0072b2", "#56b4e9"),
    ("class", "#d55e00", "#f0883e"),
    ("task", "#009e73", "#3fcf9f"),
    ("partition", "#009e73", "#3fcf9f"),
    ("style", "#e69f00", "#e69f00"),
    ("width", "#56b4e9", "#56b4e9"),
    ("depth", "#59636e", "#9da7b3"),
    ("design", "#b0568a", "#d994bb"),
    ("series-1", "#0072b2", "#3d9fd8"),
    ("series-2", "#e69f00", "#e69f00"),
    ("series-3", "#009e73", "#3fcf9f"),
    ("series-4", "#d55e00", "#f0883e"),
    ("series-5", "#cc79a7", "#d994bb"),
    ("series-6", "#1b1f24", "#e6edf3"),
    ("series-7", "#56b4e9", "#a5d8f3"),
];

/// Number of series with a look of their own.
pub(crate) const SERIES: usize = 7;

/// The rules of figures, which page and files share.
const FIGURE: &str = include_str!("figure.css");

/// The style of a page: colours that follow the reader's setting, light in print.
pub(crate) fn page_style() -> String {
    let set = |pick: fn(&(&str, &str, &str)) -> String| -> String {
        COLOURS.iter().map(pick).collect::<Vec<_>>().join(" ")
    };
    let light = set(|(name, light, _)| format!("--{name}: {light};"));
    let dark = set(|(name, _, dark)| format!("--{name}: {dark};"));
    format!(
        ":root {{ color-scheme: light; {light} }}\n\
         @media screen and (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark; {dark} }} }}\n\
         {FIGURE}{}",
        include_str!("style.css")
    )
}

/// The style of a figure in a file of its own, on white.
pub(crate) fn file_style() -> String {
    let mut style = FIGURE.to_string();
    for (name, light, _) in COLOURS {
        style = style.replace(&format!("var(--{name})"), light);
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_know_every_colour() {
        assert!(!file_style().contains("var("));
        let page = page_style();
        let used: Vec<&str> = (page.split("var(--").skip(1))
            .filter_map(|rest| rest.split(')').next())
            .collect();
        assert!(used.contains(&"series-7") && used.contains(&"ink"));
        for name in used {
            let defined = page.matches(&format!("--{name}:")).count();
            let in_table = COLOURS.iter().any(|(known, ..)| *known == name);
            // Once for light and once for dark, or by the class of a figure.
            assert!(
                if in_table { defined == 2 } else { defined > 0 },
                "{name}: {defined}"
            );
        }
    }
}
