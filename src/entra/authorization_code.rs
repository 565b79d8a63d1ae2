use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

use super::refusal::Refusal;
use super::reply::read_tokens;
use super::{Application, EntraError, Prompt, Tokens, Wanted, endpoint};
use crate::cloud::Cloud;
use crate::host::http::Http;
use crate::ids::TenantId;
use crate::secret::Secret;

/// A browser sign-in in progress: authorization code (RFC 6749, section 4.1) with PKCE (RFC 7636).
#[derive(Debug)]
pub(crate) struct AuthorizationCode {
    token_url: Url,
    application: Application,
    scope: String,
    claims: String,
    redirect_uri: String,
    state: String,
    /// The code verifier (RFC 7636, section 4.1), known only to the client that began the sign-in.
    verifier: Secret,
}

/// The shortest text that can be a code, in characters; Entra's are longer by far.
const MIN_CODE_CHARS: usize = 40;

/// What the user pasted.
#[derive(Debug)]
pub(crate) enum Pasted {
    /// The code of this sign-in.
    Code(Secret),
    /// Nothing.
    Nothing,
    /// The address of another sign-in.
    OfAnotherSignIn,
    /// Anything else.
    Other,
}

impl AuthorizationCode {
    /// Begins a sign-in, and returns it and the address to open; `random` has to be unpredictable.
    #[must_use]
    pub(crate) fn begin(
        cloud: &Cloud,
        tenant: &TenantId,
        redirect_uri: String,
        prompt: Prompt<'_>,
        random: &[u8; 48],
    ) -> (Self, Url) {
        let (state, verifier) = random.split_at(16);
        let this = Self {
            token_url: endpoint(cloud, tenant, "token"),
            application: prompt.application,
            scope: prompt.scope(cloud),
            claims: prompt.claims_parameter(),
            redirect_uri,
            state: URL_SAFE_NO_PAD.encode(state),
            verifier: Secret::new(URL_SAFE_NO_PAD.encode(verifier)),
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(this.verifier.expose()));
        let mut url = endpoint(cloud, tenant, "authorize");
        url.query_pairs_mut().extend_pairs([
            ("client_id", cloud.client_id.as_str()),
            ("response_type", "code"),
            ("response_mode", "query"),
            ("redirect_uri", &this.redirect_uri),
            ("scope", &this.scope),
            ("claims", &this.claims),
            ("state", &this.state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("client_info", "1"),
        ]);
        match prompt.login_hint {
            Some(hint) => url.query_pairs_mut().append_pair("login_hint", hint),
            None => url
                .query_pairs_mut()
                .append_pair("prompt", "select_account"),
        };
        (this, url)
    }

    /// Returns the redirect URI, without a query.
    #[must_use]
    pub(crate) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Reads what the user pasted: the address of the last page in the browser, its query, or the code.
    ///
    /// # Errors
    /// [`EntraError::Refused`] if Entra refused or the user declined.
    pub(crate) fn on_paste(&self, text: &str) -> Result<Pasted, EntraError> {
        let text = text.trim();
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        if let Some(code) = self.on_redirect(query)? {
            return Ok(Pasted::Code(code));
        }
        let is_of_a_code = |c: char| c.is_ascii_alphanumeric() || "-._~!*".contains(c);
        Ok(if text.is_empty() {
            Pasted::Nothing
        } else if form_urlencoded::parse(query.as_bytes()).any(|(key, _)| key == "state") {
            Pasted::OfAnotherSignIn
        } else if text.len() >= MIN_CODE_CHARS && text.chars().all(is_of_a_code) {
            Pasted::Code(Secret::new(text.to_owned()))
        } else {
            Pasted::Other
        })
    }

    /// Reads the query of the redirect. Returns the code, or `None` if it belongs to another sign-in.
    ///
    /// # Errors
    /// [`EntraError::Refused`] if Entra refused or the user declined.
    pub(crate) fn on_redirect(&self, query: &str) -> Result<Option<Secret>, EntraError> {
        let value = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        if value("state").as_deref() != Some(self.state.as_str()) {
            return Ok(None);
        }
        if let Some(error) = value("error") {
            let description = value("error_description").unwrap_or_default();
            return Err(EntraError::Refused(Box::new(Refusal::new(
                error,
                None,
                &description,
            ))));
        }
        Ok(value("code").map(Secret::new))
    }

    /// Redeems the code for tokens, which are for the application of the prompt.
    ///
    /// # Errors
    /// [`EntraError`].
    pub(crate) async fn redeem(
        &self,
        http: &Http,
        cloud: &Cloud,
        code: &Secret,
    ) -> Result<Tokens, EntraError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", cloud.client_id.as_str()),
            ("code", code.expose()),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", self.verifier.expose()),
            ("scope", &self.scope),
            ("claims", &self.claims),
            ("client_info", "1"),
        ];
        let reply = http.post_form(&self.token_url, &form).await?;
        read_tokens(&self.token_url, &reply, Wanted::Token(self.application))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(login_hint: Option<&str>) -> (AuthorizationCode, Url) {
        let cloud = Cloud::built_in("AzureCloud").unwrap();
        let tenant = "organizations".parse().unwrap();
        let prompt = Prompt {
            login_hint,
            ..Prompt::first()
        };
        AuthorizationCode::begin(
            &cloud,
            &tenant,
            "http://localhost:1".to_owned(),
            prompt,
            &[7; 48],
        )
    }

    #[test]
    fn the_challenge_is_the_hash_of_the_verifier() {
        let (flow, url) = begin(None);
        assert!(flow.verifier.expose().len() >= 43, "RFC 7636, section 4.1");
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(flow.verifier.expose()));
        let query = url.query().unwrap();
        assert!(query.contains(&format!(
            "code_challenge={challenge}&code_challenge_method=S256"
        )));
        assert!(!query.contains(flow.verifier.expose()));
        assert!(query.contains("prompt=select_account"));
        assert!(
            begin(Some("ada@contoso.example"))
                .1
                .query()
                .unwrap()
                .contains("login_hint=ada%40")
        );
    }

    #[test]
    fn the_code_is_taken_from_a_redirect_of_this_sign_in_alone() {
        let (flow, _) = begin(None);
        let own = format!("code=a%20b&state={}", flow.state);
        assert_eq!(flow.on_redirect(&own).unwrap().unwrap().expose(), "a b");
        for foreign in ["code=a", "code=a&state=x", ""] {
            assert!(flow.on_redirect(foreign).unwrap().is_none(), "{foreign}");
        }
    }

    #[test]
    fn an_address_its_query_and_a_code_can_be_pasted_and_nothing_else() {
        let (flow, _) = begin(None);
        let code = "0.AXoAvoj5-_x~".repeat(MIN_CODE_CHARS / 10);
        let state = &flow.state;
        for text in [
            format!("  http://localhost:1/?code={code}&state={state}&session_state=x#  "),
            format!("localhost:1/?code={code}&state={state}"),
            format!("code={code}&state={state}"),
            code.clone(),
        ] {
            let pasted = flow.on_paste(&text).unwrap();
            assert!(
                matches!(pasted, Pasted::Code(found) if found.expose() == code),
                "{text}"
            );
        }
        let foreign = format!("http://localhost:1/?code={code}&state=x");
        assert!(matches!(
            flow.on_paste(&foreign),
            Ok(Pasted::OfAnotherSignIn)
        ));
        assert!(matches!(flow.on_paste(" "), Ok(Pasted::Nothing)));
        let cut = format!("http://localhost:1/?code={code}");
        for text in [
            "hello",
            "y",
            "entra-ssh login --device-code",
            "https://localhost/",
            &cut,
        ] {
            assert!(matches!(flow.on_paste(text), Ok(Pasted::Other)), "{text}");
        }
        let short = "x".repeat(MIN_CODE_CHARS - 1);
        assert!(matches!(flow.on_paste(&short), Ok(Pasted::Other)));
        let declined = format!("http://localhost:1/?error=access_denied&state={state}");
        assert!(matches!(
            flow.on_paste(&declined),
            Err(EntraError::Refused(_))
        ));
    }

    #[test]
    fn a_refusal_is_told_in_entras_words() {
        let (flow, _) = begin(None);
        let query = format!(
            "error=access_denied&error_description=AADSTS65004%3a+User+declined.%0d%0aTrace+ID%3a+1&state={}",
            flow.state
        );
        let error = flow.on_redirect(&query).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Entra refused (AADSTS65004): User declined."
        );
    }
}
