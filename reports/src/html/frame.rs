//! What every page has: the head of the file, a header, ways to its parts, the parts.
//!
//! A report of a run or a campaign is one page of *sections* that ends with boxes to sign in; a bundle has several pages.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{signatures, style};

/// What stands around the content of a page.
pub(crate) struct Frame<'a> {
    /// Title of the file.
    pub(crate) title: &'a str,
    /// Version of the program that made it.
    pub(crate) version: &'a str,
    /// Style beside that of all pages.
    pub(crate) style: &'a str,
}

impl Frame<'_> {
    /// The whole file. `ways` are the items of its list of ways, which is named `label`.
    pub(crate) fn page(&self, header: &Markup, label: &str, ways: &Markup, main: &Markup) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="generator" content={ "cooltwin " (self.version) };
                    title { (self.title) }
                    style { (PreEscaped(style())) (PreEscaped(self.style)) }
                }
                body {
                    header { (header) }
                    nav aria-label=(label) { ul { (ways) } }
                    main { (main) }
                }
            }
        };
        page.into_string()
    }

    /// A report on one page, to be signed.
    pub(crate) fn report(&self, header: &Markup, sections: &[Section]) -> String {
        let ways = html! { @for one in sections { li { a href={ "#" (one.id) } { (one.title) } } } };
        let main = html! { @for one in sections { (section(one.id, one.title, &one.body)) } (signatures()) };
        self.page(header, "Sections", &ways, &main)
    }
}

/// A part of a page.
pub(crate) struct Section {
    id: &'static str,
    title: &'static str,
    body: Markup,
}

impl Section {
    pub(crate) fn new(id: &'static str, title: &'static str, body: Markup) -> Self {
        Self { id, title, body }
    }
}

/// A section with its head.
pub(crate) fn section(id: &str, title: &str, body: &Markup) -> Markup {
    html! { section id=(id) aria-labelledby={ (id) "-title" } { h2 id={ (id) "-title" } { (title) } (body) } }
}
