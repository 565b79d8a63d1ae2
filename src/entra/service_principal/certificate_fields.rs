use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{AsyncRawResponse, Body, Context, Request};
use url::form_urlencoded;

use super::super::Wanted;
use crate::host::http::Reply;

/// Adds the form fields that make a token request one for a certificate, and keeps the reply: the SDK passes on neither
/// `token_type` nor what a refusal says beyond its text.
pub(super) struct CertificateFields {
    fields: String,
    reply: Mutex<Option<Reply>>,
}

impl CertificateFields {
    pub(super) fn new(wanted: Wanted<'_>) -> Self {
        let fields = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(wanted.fields())
            .finish();
        Self {
            fields,
            reply: Mutex::new(None),
        }
    }

    pub(super) fn take_reply(&self) -> Option<Reply> {
        self.reply
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl fmt::Debug for CertificateFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateFields")
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature elides them"
)]
#[async_trait::async_trait]
impl Policy for CertificateFields {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let form = request.body().clone();
        if let Body::Bytes(bytes) = &form {
            let mut extended = bytes.to_vec();
            extended.push(b'&');
            extended.extend_from_slice(self.fields.as_bytes());
            request.set_body(extended);
        }
        let response = match next.split_first() {
            Some((policy, rest)) => policy.send(context, request, rest).await,
            None => Err(azure_core::Error::with_message(
                azure_core::error::ErrorKind::Other,
                "the pipeline has no transport",
            )),
        };
        // A retry starts from the form as it was.
        request.set_body(form);
        let raw = response?.try_into_raw_response().await?;
        let (status, headers, body) = raw.deconstruct();
        let kept = Reply {
            status: status.into(),
            body: body.to_vec().into(),
            ..Reply::default()
        };
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}
