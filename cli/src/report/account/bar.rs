//! A bar of a timeline.

use crate::moment::Span;
use maud::{Markup, html};

/// A bar where its span lies in the whole.
pub(super) fn drawn(whole: Span, span: Span, class: &str) -> Markup {
    let (Some(from), Some(to)) = (span.from, span.to) else {
        return html! {};
    };
    let (left, right) = (whole.place(from) * 100.0, whole.place(to) * 100.0);
    let style = format!("left:{left:.1}%;width:{:.1}%", right - left);
    html! { i class=[Some(class).filter(|class| !class.is_empty())] style=(style) {} }
}
