use std::collections::HashMap;
use std::sync::Arc;

use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{
    AsyncRawResponse, Body, ClientOptions, ExponentialRetryOptions, HttpClient, Request,
    RetryOptions, Transport,
};
use reqwest::Method;

use super::{Http, HttpError};

/// How often the Azure SDK retries the metadata endpoint.
const METADATA_RETRIES: u32 = 4;
/// How long it goes on retrying.
const METADATA_BUDGET: azure_core::time::Duration = azure_core::time::Duration::seconds(30);

impl Http {
    /// Returns the options of an Azure SDK pipeline over this client, which is the one that retries.
    #[must_use]
    pub fn to_client_options(&self) -> ClientOptions {
        let retry = ExponentialRetryOptions {
            max_retries: if self.retries { 0 } else { METADATA_RETRIES },
            max_total_elapsed: METADATA_BUDGET,
            ..ExponentialRetryOptions::default()
        };
        ClientOptions {
            transport: Some(Transport::new(Arc::new(AzureTransport {
                http: self.clone(),
            }))),
            retry: RetryOptions::exponential(retry),
            ..ClientOptions::default()
        }
    }
}

/// Our client under the pipelines of the Azure SDK, so that the same limits apply, and their replies set the server's clock.
#[derive(Debug)]
struct AzureTransport {
    http: Http,
}

#[async_trait::async_trait]
impl HttpClient for AzureTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let refused = |reason: &'static str| {
            azure_core::Error::with_message(ErrorKind::DataConversion, reason)
        };
        let url = request.url();
        let method = Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|_| refused("the method is not one of HTTP"))?;
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
