//! The few pages that people see: plain HTML, no scripts unless a form has to post itself.

use std::fmt::Write as _;

use crate::http::Reply;
use crate::world::World;

/// Returns a page with a title and one sentence.
pub(crate) fn message(status: u16, title: &str, sentence: &str) -> Reply {
    Reply::html(
        status,
        document(title, &format!("<p>{}</p>", escape(sentence))),
    )
}

/// Returns a form with a button for every user and one for refusal; the buttons post to the
/// page's own address.
pub(crate) fn choose_user(world: &World, title: &str, extra_fields: &str) -> Reply {
    let mut form = format!("<form method=\"post\">{extra_fields}");
    for user in &world.options.users {
        let _ = write!(
            form,
            "<p><button name=\"upn\" value=\"{upn}\">{name} ({upn})</button></p>",
            upn = escape(&user.upn),
            name = escape(&user.display_name),
        );
    }
    form.push_str("<p><button name=\"decline\" value=\"1\">Decline</button></p></form>");
    Reply::html(200, document(title, &form))
}

/// Returns a page that posts fields to another address by itself.
pub(crate) fn self_posting_form(action: &str, fields: &[(String, String)]) -> Reply {
    let mut form = format!("<form method=\"post\" action=\"{}\">", escape(action));
    for (name, value) in fields {
        let _ = write!(
            form,
            "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
            escape(name),
            escape(value)
        );
    }
    form.push_str("<button>Continue</button></form><script>document.forms[0].submit()</script>");
    Reply::html(200, document("Signing in", &form))
}

fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         </head><body><h1>{title}</h1>{body}</body></html>\n"
    )
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
