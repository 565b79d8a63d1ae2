use std::collections::HashMap;

use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request};
use reqwest::Method;

use super::{Http, HttpError};

/// Our client under the pipelines of the Azure SDK: what they fetch is capped like everything else, and tells the time.
#[derive(Debug)]
pub(super) struct AzureTransport {
    http: Http,
}

impl AzureTransport {
    pub(super) const fn new(http: Http) -> Self {
        Self { http }
    }
}

#[async_trait::async_trait]
impl HttpClient for AzureTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let refused = |reason: &'static str| {
            azure_core::Error::with_message(ErrorKind::DataConversion, reason)
        };
        let url = request.url();
        let method = Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|_| refused("the method is none of HTTP"))?;
        let Body::Bytes(body) = request.body() else {
            return Err(refused("a body that is a stream is not sent here"));
        };
        let build = || {
            let mut builder = self.http.client.request(method.clone(), url.clone());
            for (name, value) in request.headers().iter() {
                builder = builder.header(name.as_str(), value.as_str());
            }
            builder.body(body.clone())
        };
        let (status, headers, body) = self
            .http
            .exchange(build, url)
            .await
            .map_err(pipeline_error)?;
        let headers: HashMap<HeaderName, HeaderValue> = headers
            .iter()
            .filter_map(|(name, value)| {
                let value = value.to_str().ok()?.to_owned();
                Some((name.as_str().to_owned().into(), value.into()))
            })
            .collect();
        Ok(AsyncRawResponse::from_bytes(
            status.into(),
            Headers::from(headers),
            body.to_vec(),
        ))
    }
}

/// The kind decides whether the pipeline tries again.
fn pipeline_error(error: HttpError) -> azure_core::Error {
    let kind = match &error {
        HttpError::Unreachable { source, .. } if source.is_connect() => ErrorKind::Connection,
        HttpError::Unreachable { .. } => ErrorKind::Io,
        _ => ErrorKind::Other,
    };
    azure_core::Error::with_error(kind, error, "there is no reply")
}
