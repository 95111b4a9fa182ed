//! What clients of the façades send: in the query, as JSON, or both, and in any spelling.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use domain::project::limits;
use serde_json::{Map, Value, json};

use crate::extract::{Json, Query};
use crate::problem::Problem;

/// Named values. Names count by their letters and digits alone, so `StoryText`, `storyText` and `story_text` are
/// one; what is empty was not given, nor is a zero, but as a name; what nobody asks for is ignored.
#[derive(Debug, Default)]
pub(super) struct Fields {
    values: BTreeMap<String, Value>,
    /// SHA-256 of the query and the body, to tell a repeat from another request.
    pub(super) digest: [u8; 32],
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let asked = parts.uri.query().unwrap_or_default().to_owned();
        let Query(query) =
            <Query<Vec<(String, String)>> as axum::extract::FromRequestParts<S>>::from_request_parts(
                &mut parts, state,
            )
            .await?;
        let json = Json::<Map<String, Value>>::from_request(Request::from_parts(parts, body), state).await?;
        let query = query.into_iter().map(|(name, value)| (name, Value::String(value)));
        let digest = domain::hash::sha256(&[asked.as_bytes(), &json.digest]);
        Ok(Self { digest, ..Self::of(query.chain(json.value)) })
    }
}

impl Fields {
    /// Later values win over earlier ones.
    pub(super) fn of(values: impl IntoIterator<Item = (String, Value)>) -> Self {
        let given = values.into_iter().filter(|(_, value)| is_given(value));
        let values = given.map(|(name, value)| (plain(&name), value)).collect();
        Self { values, digest: [0; 32] }
    }

    /// A value as it was sent.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(&plain(name))
    }

    /// The fields of an object; none when there is no such object.
    pub(super) fn within(&self, name: &str) -> Self {
        self.value(name).and_then(Value::as_object).cloned().map(Self::of).unwrap_or_default()
    }

    /// The objects of a list, as many as a project may have shots. A text in it stands for an object with this one
    /// field.
    pub(super) fn list(&self, name: &str, field: &str) -> Result<Vec<Self>, Problem> {
        let most = limits::SHOTS as usize;
        let words = format!("{name}: must be a list of 1 to {most} objects");
        let invalid = || Problem::bad_request("invalid", words.clone());
        let entry = |value: &Value| match value {
            Value::Object(object) => Ok(Self::of(object.clone())),
            Value::String(text) => Ok(Self::of([(field.to_owned(), json!(text))])),
            _ => Err(invalid()),
        };
        let entries =
            self.value(name).and_then(Value::as_array).filter(|list| (1..=most).contains(&list.len()));
        entries.ok_or_else(invalid)?.iter().map(entry).collect()
    }

    /// The first of these names that was given, as text.
    pub(super) fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.value(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) if number.as_f64() != Some(0.0) => Some(number.to_string()),
            _ => None,
        })
    }

    /// A count. What is no whole number is a bad request.
    pub(super) fn count(&self, name: &str) -> Result<Option<u32>, Problem> {
        let is_count = |number: f64| number.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&number);
        let invalid = || Problem::bad_request("invalid", format!("{name}: must be a whole number from 1"));
        match self.number(name).map_err(|_| invalid())? {
            Some(number) if !is_count(number) => Err(invalid()),
            number => Ok(number.map(|number| number as u32)),
        }
    }

    /// A number. What is none is a bad request.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, Problem> {
        let Some(text) = self.text(&[name]) else { return Ok(None) };
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let invalid = || Problem::bad_request("invalid", format!("{name}: must be a number"));
        // In a query, zero is a text.
        number.ok_or_else(invalid).map(|number| Some(number).filter(|number| *number != 0.0))
    }
}

fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    async fn read(target: &str, body: &str) -> Result<Fields, Problem> {
        let request = Request::post(target).header("content-type", "application/json");
        Fields::from_request(request.body(Body::from(body.to_owned())).unwrap(), &()).await
    }

    #[tokio::test]
    async fn a_name_may_be_spelled_in_any_way_and_come_in_any_place() {
        for (target, body) in [
            ("/?StoryText=Once", ""),
            ("/?story_text=Once", "{}"),
            ("/", r#"{"storyText":"Once"}"#),
            ("/?StoryText=Twice", r#"{"story_text":"Once","else":[1]}"#),
        ] {
            let fields = read(target, body).await.unwrap();
            assert_eq!(fields.text(&["storyText"]).as_deref(), Some("Once"), "{target} {body}");
        }
    }

    #[tokio::test]
    async fn what_is_empty_or_zero_was_not_given() {
        let fields = read("/?Title=&Style=%20", r#"{"shotCount":0,"description":null}"#).await.unwrap();
        assert_eq!(fields.text(&["title", "style", "description"]), None);
        assert_eq!(fields.count("shotCount").unwrap(), None);
        assert_eq!(read("/?speed=0.0", "").await.unwrap().number("speed").unwrap(), None);
    }

    #[tokio::test]
    async fn a_count_is_a_whole_number() {
        let count = async |text: &str| read(&format!("/?n={text}"), "").await.unwrap().count("n");
        assert_eq!(count("7").await.unwrap(), Some(7));
        assert_eq!(read("/", r#"{"n":7.0}"#).await.unwrap().count("n").unwrap(), Some(7));
        for text in ["x", "-1", "1.5", "NaN", "1e99"] {
            assert_eq!(count(text).await.unwrap_err().status.as_u16(), 400, "{text}");
        }
    }

    #[tokio::test]
    async fn a_list_has_objects_or_texts_that_stand_for_them() {
        let scenes = read("/", r#"{"lines":["One.",{"Text":"Two.","scene_id":2}],"none":[],"wrong":[1]}"#)
            .await
            .unwrap();
        let lines = scenes.list("lines", "text").unwrap();
        let texts: Vec<_> = lines.iter().filter_map(|line| line.text(&["text"])).collect();
        assert_eq!(texts, ["One.", "Two."]);
        let long = Fields::of([("lines".to_owned(), json!(vec!["One."; 201]))]);
        assert!(long.list("lines", "text").is_err());
        for name in ["none", "wrong", "missing"] {
            assert!(scenes.list(name, "text").is_err(), "{name}");
        }
    }

    #[tokio::test]
    async fn the_same_key_with_another_query_or_body_is_another_request() {
        let digest = async |target: &str, body: &str| read(target, body).await.unwrap().digest;
        let one = digest("/?a=1", r#"{"b":2}"#).await;
        assert_eq!(one, digest("/?a=1", r#"{"b":2}"#).await);
        assert_ne!(one, digest("/?a=2", r#"{"b":2}"#).await);
        assert_ne!(one, digest("/?a=1", r#"{"b":3}"#).await);
    }

    #[tokio::test]
    async fn what_is_no_object_is_refused() {
        for body in ["[]", "{", "1", "\"a\""] {
            assert!(read("/", body).await.is_err(), "{body}");
        }
    }
}
