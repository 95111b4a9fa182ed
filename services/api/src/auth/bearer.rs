//! Tokens of others (RFC 7519): signed with a secret that we share (HS256), or by an issuer whose public
//! keys can be fetched (RS256, ES256).
//!
//! The key decides the algorithm, never the token alone: a secret verifies HS256 only, a public key only its
//! own algorithm, and `none` is known to nobody.

use std::str::FromStr;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::identity::{Grounds, Identity, Role, is_sane_subject};
use super::jwks::Jwks;

/// Clocks may differ by so much, in seconds.
const LEEWAY: u64 = 30;
/// Longest token that is looked at, in bytes.
const LENGTH: usize = 8 * 1024;

/// Why a token says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// It is no token, or not one for us.
    #[error("the token is not valid")]
    Invalid,
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It will be good later.
    #[error("the token is not valid yet")]
    NotYet,
    /// The issuer's keys cannot be fetched, so nobody knows.
    #[error("the issuer of the token does not answer")]
    IssuerSilent,
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    role: Option<String>,
    /// Seconds since 1970; the standard allows fractions.
    exp: f64,
}

/// Verifies tokens.
#[derive(Debug)]
pub(super) struct Verifier {
    secret: Option<DecodingKey>,
    jwks: Option<Jwks>,
    audience: Option<String>,
    issuer: Option<String>,
}

impl Verifier {
    pub(super) fn new(
        secret: Option<&str>,
        jwks: Option<Jwks>,
        audience: Option<String>,
        issuer: Option<String>,
    ) -> Self {
        let secret = secret.map(|secret| DecodingKey::from_secret(secret.as_bytes()));
        Self { secret, jwks, audience, issuer }
    }

    /// Who shows this token.
    pub(super) async fn identify(&self, token: &str) -> Result<Identity, TokenError> {
        if token.len() > LENGTH {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        // What must be understood (RFC 7515, 4.1.11) is understood by nobody here.
        if header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        match header.alg {
            Algorithm::HS256 => {
                let secret = self.secret.as_ref().ok_or(TokenError::Invalid)?;
                self.verify(token, secret, Algorithm::HS256)
            }
            algorithm @ (Algorithm::RS256 | Algorithm::ES256) => {
                let jwks = self.jwks.as_ref().ok_or(TokenError::Invalid)?;
                let key = jwks.key(header.kid.as_deref(), algorithm).await?;
                self.verify(token, &key, algorithm)
            }
            _ => Err(TokenError::Invalid),
        }
    }

    fn verify(&self, token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Identity, TokenError> {
        use jsonwebtoken::errors::ErrorKind;
        let read = decode::<Claims>(token, key, &self.validation(algorithm));
        let claims = read.map(|token| token.claims).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => TokenError::Expired,
            ErrorKind::ImmatureSignature => TokenError::NotYet,
            _ => TokenError::Invalid,
        })?;
        let role = claims.role.as_deref().map_or(Ok(Role::default()), Role::from_str);
        match role {
            Ok(role) if is_sane_subject(&claims.sub) => {
                let until = Some((claims.exp as u64).saturating_add(LEEWAY));
                Ok(Identity::new(&claims.sub, role).on(Grounds { key: None, until }))
            }
            _ => Err(TokenError::Invalid),
        }
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.validate_aud = self.audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::signing::seconds;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    const SECRET: &str = "a secret of at least thirty-two bytes";

    fn now() -> u64 {
        seconds(infra::runtime::Clock::System.now())
    }

    fn token(claims: &Value) -> String {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
    }

    fn plain(text: &str) -> String {
        // The base64 of a part of a token, made by the library itself.
        let whole = token(&json!({ "x": text }));
        whole.split('.').nth(1).unwrap().to_owned()
    }

    async fn identify(verifier: &Verifier, token: &str) -> Result<Identity, TokenError> {
        verifier.identify(token).await
    }

    fn verifier() -> Verifier {
        Verifier::new(Some(SECRET), None, None, None)
    }

    #[tokio::test]
    async fn a_token_says_who_and_what_role_and_a_viewer_where_it_says_none() {
        let exp = now() + 60;
        let ada = identify(&verifier(), &token(&json!({ "sub": "ada", "exp": exp }))).await.unwrap();
        assert_eq!((ada.subject(), ada.role()), (Some("ada"), Role::Viewer));
        let root = token(&json!({ "sub": "root", "exp": exp, "role": "admin", "nbf": now() - 1 }));
        assert_eq!(identify(&verifier(), &root).await.unwrap().role(), Role::Admin);
    }

    #[tokio::test]
    async fn a_token_counts_only_in_its_time_and_with_a_name_and_a_role_that_make_sense() {
        let exp = now() + 60;
        for (claims, expected) in [
            (json!({ "sub": "ada", "exp": now() - 60 }), TokenError::Expired),
            (json!({ "sub": "ada", "exp": exp, "nbf": now() + 120 }), TokenError::NotYet),
            (json!({ "sub": "ada" }), TokenError::Invalid),
            (json!({ "sub": "ada", "exp": "tomorrow" }), TokenError::Invalid),
            (json!({ "exp": exp }), TokenError::Invalid),
            (json!({ "sub": "", "exp": exp }), TokenError::Invalid),
            (json!({ "sub": "a\r\nb", "exp": exp }), TokenError::Invalid),
            (json!({ "sub": 7, "exp": exp }), TokenError::Invalid),
            (json!({ "sub": "ada", "exp": exp, "role": "root" }), TokenError::Invalid),
            (json!({ "sub": "ada", "exp": exp, "role": ["admin"] }), TokenError::Invalid),
        ] {
            assert_eq!(identify(&verifier(), &token(&claims)).await, Err(expected), "{claims}");
        }
    }

    #[tokio::test]
    async fn audience_and_issuer_count_where_they_are_set() {
        let strict = Verifier::new(Some(SECRET), None, Some("films".to_owned()), Some("home".to_owned()));
        let exp = now() + 60;
        let claims =
            |aud: Value, iss: Value| token(&json!({ "sub": "ada", "exp": exp, "aud": aud, "iss": iss }));
        assert!(identify(&strict, &claims(json!("films"), json!("home"))).await.is_ok());
        assert!(identify(&strict, &claims(json!(["x", "films"]), json!("home"))).await.is_ok());
        for (aud, iss) in [
            (json!("other"), json!("home")),
            (json!("films"), json!("elsewhere")),
            (Value::Null, json!("home")),
            (json!("films"), Value::Null),
        ] {
            assert!(identify(&strict, &claims(aud, iss)).await.is_err());
        }
        let lax = verifier();
        assert!(identify(&lax, &claims(json!("anything"), json!("anybody"))).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_not_signed_with_our_secret_by_our_algorithm_is_no_token() {
        let good = token(&json!({ "sub": "ada", "exp": now() + 60 }));
        let parts: Vec<&str> = good.split('.').collect();
        let other = EncodingKey::from_secret(b"another secret");
        let claims = json!({ "sub": "ada", "exp": now() + 60, "role": "admin" });
        let forged = encode(&Header::new(Algorithm::HS256), &claims, &other).unwrap();
        let secret = EncodingKey::from_secret(SECRET.as_bytes());
        let longer = encode(&Header::new(Algorithm::HS512), &claims, &secret).unwrap();
        let forged_claims = forged.split('.').nth(1).unwrap();
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        for text in [
            String::new(),
            "..".to_owned(),
            "a.b.c".to_owned(),
            forged.clone(),
            longer,
            format!("{none}.{forged_claims}."),
            format!("{none}.{forged_claims}.{}", parts[2]),
            format!("{}.{forged_claims}.{}", parts[0], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}.{}", parts[0], plain("x"), parts[2]),
            "x".repeat(LENGTH + 1),
        ] {
            assert_eq!(identify(&verifier(), &text).await, Err(TokenError::Invalid), "{text}");
        }
        let nothing = Verifier::new(None, None, None, None);
        assert_eq!(identify(&nothing, &good).await, Err(TokenError::Invalid));
    }
}
