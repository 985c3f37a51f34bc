//! When a failed delivery is tried again: `sns-message-delivery-retries.html`.

use std::time::Duration;

use minicbor::{Decode, Encode};
use serde_json::{Map, Value, json};

use crate::errors::ParameterError;

/// The longest delay, and the longest time that all retries may take together, in seconds.
const TOTAL_SECS_MAX: u64 = 3_600;
/// The most retries.
const RETRIES_MAX: u32 = 100;

/// How the pauses between the first and the longest grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Backoff {
    #[default]
    #[n(0)]
    Linear,
    #[n(1)]
    Arithmetic,
    #[n(2)]
    Geometric,
    #[n(3)]
    Exponential,
}

/// `healthyRetryPolicy`, and the type that requests name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct DeliveryPolicy {
    #[n(0)]
    pub(crate) min_delay_secs: u32,
    #[n(1)]
    pub(crate) max_delay_secs: u32,
    #[n(2)]
    pub(crate) retries: u32,
    #[n(3)]
    pub(crate) no_delay_retries: u32,
    #[n(4)]
    pub(crate) min_delay_retries: u32,
    #[n(5)]
    pub(crate) max_delay_retries: u32,
    #[n(6)]
    pub(crate) backoff: Backoff,
    #[n(7)]
    pub(crate) content_type: Option<String>,
    /// Topics only: subscriptions' own policies have no say.
    #[n(8)]
    pub(crate) overrides_subscriptions: bool,
}

impl Default for DeliveryPolicy {
    fn default() -> Self {
        Self {
            min_delay_secs: 20,
            max_delay_secs: 20,
            retries: 3,
            no_delay_retries: 0,
            min_delay_retries: 0,
            max_delay_retries: 0,
            backoff: Backoff::Linear,
            content_type: None,
            overrides_subscriptions: false,
        }
    }
}

impl DeliveryPolicy {
    /// A topic's: `{"http": {"defaultHealthyRetryPolicy": …}}`.
    pub(crate) fn of_topic(text: &str) -> Result<Self, ParameterError> {
        let whole = object(text)?;
        only(&whole, &["http"])?;
        let Some(Value::Object(http)) = whole.get("http") else { return Err(refused("http is missing")) };
        only(
            http,
            &[
                "defaultHealthyRetryPolicy",
                "disableSubscriptionOverrides",
                "defaultRequestPolicy",
                "defaultThrottlePolicy",
            ],
        )?;
        let mut policy = Self::read(
            http.get("defaultHealthyRetryPolicy"),
            http.get("defaultRequestPolicy"),
            http.get("defaultThrottlePolicy"),
        )?;
        policy.overrides_subscriptions = match http.get("disableSubscriptionOverrides") {
            None => false,
            Some(Value::Bool(on)) => *on,
            Some(_) => return Err(refused("disableSubscriptionOverrides must be a boolean")),
        };
        Ok(policy)
    }

    /// A subscription's: `{"healthyRetryPolicy": …}`.
    pub(crate) fn of_subscription(text: &str) -> Result<Self, ParameterError> {
        let whole = object(text)?;
        only(&whole, &["healthyRetryPolicy", "requestPolicy", "throttlePolicy"])?;
        Self::read(whole.get("healthyRetryPolicy"), whole.get("requestPolicy"), whole.get("throttlePolicy"))
    }

    fn read(
        retry: Option<&Value>,
        request: Option<&Value>,
        throttle: Option<&Value>,
    ) -> Result<Self, ParameterError> {
        let mut policy = Self::default();
        if throttle.is_some_and(|throttle| !throttle.is_null()) {
            return Err(ParameterError::NotSupported("throttlePolicy of DeliveryPolicy".into()));
        }
        if let Some(Value::Object(request)) = request {
            only(request, &["headerContentType"])?;
            let valid = |text: &str| text.bytes().all(|b| (0x20..0x7f).contains(&b)) && text.len() <= 200;
            policy.content_type = match request.get("headerContentType").map(|value| value.as_str()) {
                None => None,
                Some(Some(text)) if valid(text) => Some(text.to_owned()),
                Some(_) => return Err(refused("headerContentType is invalid")),
            };
        }
        let retry = match retry {
            None | Some(Value::Null) => return Ok(policy),
            Some(Value::Object(retry)) => retry,
            Some(_) => return Err(refused("healthyRetryPolicy must be an object")),
        };
        for (name, value) in retry {
            if name == "backoffFunction" {
                policy.backoff = match value.as_str() {
                    Some("linear") => Backoff::Linear,
                    Some("arithmetic") => Backoff::Arithmetic,
                    Some("geometric") => Backoff::Geometric,
                    Some("exponential") => Backoff::Exponential,
                    _ => {
                        return Err(refused(
                            "backoffFunction must be linear, arithmetic, geometric or exponential",
                        ));
                    }
                };
                continue;
            }
            let place = match name.as_str() {
                "minDelayTarget" => &mut policy.min_delay_secs,
                "maxDelayTarget" => &mut policy.max_delay_secs,
                "numRetries" => &mut policy.retries,
                "numNoDelayRetries" => &mut policy.no_delay_retries,
                "numMinDelayRetries" => &mut policy.min_delay_retries,
                "numMaxDelayRetries" => &mut policy.max_delay_retries,
                _ => return Err(refused(&format!("healthyRetryPolicy.{name} is unknown"))),
            };
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            *place = number
                .ok_or_else(|| refused(&format!("healthyRetryPolicy.{name} must be a whole number")))?;
        }
        policy.check()?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), ParameterError> {
        let delays = 1..=TOTAL_SECS_MAX as u32;
        let phases = [self.no_delay_retries, self.min_delay_retries, self.max_delay_retries];
        if !delays.contains(&self.min_delay_secs) || !delays.contains(&self.max_delay_secs) {
            return Err(refused("minDelayTarget and maxDelayTarget must be between 1 and 3600"));
        }
        if self.min_delay_secs > self.max_delay_secs {
            return Err(refused("minDelayTarget must be less than or equal to maxDelayTarget"));
        }
        if self.retries > RETRIES_MAX {
            return Err(refused("numRetries must be between 0 and 100"));
        }
        if phases.iter().fold(0_u32, |sum, phase| sum.saturating_add(*phase)) > self.retries {
            return Err(refused("numRetries must be greater than or equal to the retries of all phases"));
        }
        let total: u64 =
            (1..=self.retries).filter_map(|at| self.pause(at)).map(|pause| pause.as_secs()).sum();
        if total > TOTAL_SECS_MAX {
            return Err(refused("Total time of retries must not be greater than 3600 seconds"));
        }
        Ok(())
    }

    /// The pause after so many failures; nothing if it was the last attempt.
    pub(crate) fn pause(&self, failures: u32) -> Option<Duration> {
        if failures > self.retries {
            return None;
        }
        let between = self.retries - self.no_delay_retries - self.min_delay_retries - self.max_delay_retries;
        let at = failures.saturating_sub(self.no_delay_retries + self.min_delay_retries);
        let (min, max) = (f64::from(self.min_delay_secs), f64::from(self.max_delay_secs));
        let secs = if failures <= self.no_delay_retries {
            0.0
        } else if at == 0 {
            min
        } else if at > between {
            max
        } else {
            // From just above the shortest to the longest, in as many steps as there are.
            let share = f64::from(at) / f64::from(between);
            match self.backoff {
                Backoff::Linear => min + (max - min) * share,
                Backoff::Arithmetic => {
                    min + (max - min) * share * (share + 1.0 / f64::from(between))
                        / (1.0 + 1.0 / f64::from(between))
                }
                Backoff::Geometric => min * (max / min).powf(share),
                Backoff::Exponential => (min * 2_f64.powi(at.min(30).cast_signed() - 1)).min(max),
            }
        };
        Some(Duration::from_millis((secs * 1_000.0).round() as u64))
    }

    /// As `EffectiveDeliveryPolicy` of a subscription shows it.
    pub(crate) fn to_subscription_json(&self) -> Value {
        json!({
            "healthyRetryPolicy": self.retry_json(),
            "sicklyRetryPolicy": null,
            "throttlePolicy": null,
            "requestPolicy": { "headerContentType": self.content_type.as_deref().unwrap_or("text/plain; charset=UTF-8") },
            "guaranteed": false,
        })
    }

    /// As `EffectiveDeliveryPolicy` of a topic shows it.
    pub(crate) fn to_topic_json(&self) -> Value {
        json!({ "http": {
            "defaultHealthyRetryPolicy": self.retry_json(),
            "disableSubscriptionOverrides": self.overrides_subscriptions,
            "defaultRequestPolicy": { "headerContentType": self.content_type.as_deref().unwrap_or("text/plain; charset=UTF-8") },
        } })
    }

    fn retry_json(&self) -> Value {
        let backoff = match self.backoff {
            Backoff::Linear => "linear",
            Backoff::Arithmetic => "arithmetic",
            Backoff::Geometric => "geometric",
            Backoff::Exponential => "exponential",
        };
        json!({
            "minDelayTarget": self.min_delay_secs,
            "maxDelayTarget": self.max_delay_secs,
            "numRetries": self.retries,
            "numMaxDelayRetries": self.max_delay_retries,
            "numNoDelayRetries": self.no_delay_retries,
            "numMinDelayRetries": self.min_delay_retries,
            "backoffFunction": backoff,
        })
    }
}

/// The pause after so many failures of a delivery to SQS or Lambda, which nobody can change: 3 without a pause, 2 a
/// second apart, 10 from one to twenty seconds, 100,000 twenty seconds apart.
pub(crate) fn managed_pause(failures: u32) -> Option<Duration> {
    let millis = match failures {
        0..=3 => 0,
        4..=5 => 1_000,
        6..=15 => (1_000.0 * 20_f64.powf(f64::from(failures - 5) / 10.0)) as u64,
        16..=100_015 => 20_000,
        _ => return None,
    };
    Some(Duration::from_millis(millis))
}

fn object(text: &str) -> Result<Map<String, Value>, ParameterError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(refused("failed to parse JSON.")),
    }
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), ParameterError> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(refused(&format!("{unknown} is unknown"))),
        None => Ok(()),
    }
}

fn refused(reason: &str) -> ParameterError {
    ParameterError::plain(&format!("DeliveryPolicy: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(policy: &DeliveryPolicy) -> Vec<u64> {
        (1..).map_while(|failures| policy.pause(failures)).map(|pause| pause.as_secs()).collect()
    }

    #[test]
    fn pauses_go_through_their_phases() {
        assert_eq!(pauses(&DeliveryPolicy::default()), [20, 20, 20]);
        let text = r#"{"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 60, "numRetries": 50,
            "numNoDelayRetries": 3, "numMinDelayRetries": 2, "numMaxDelayRetries": 35, "backoffFunction": "exponential"}}"#;
        let policy = DeliveryPolicy::of_subscription(text).expect("the user guide's example");
        let all = pauses(&policy);
        assert_eq!(all.len(), 50);
        assert_eq!(all[..7], [0, 0, 0, 1, 1, 1, 2]);
        assert!(all[15..].iter().all(|pause| *pause == 60) && all.is_sorted());
        for backoff in [Backoff::Linear, Backoff::Arithmetic, Backoff::Geometric, Backoff::Exponential] {
            let policy =
                DeliveryPolicy { min_delay_secs: 1, retries: 8, backoff, ..DeliveryPolicy::default() };
            let all = pauses(&policy);
            assert!(
                all.is_sorted() && all[0] >= 1 && all.iter().all(|pause| *pause <= 20),
                "{backoff:?} {all:?}"
            );
        }
        let managed: Vec<_> = (1..=16).filter_map(managed_pause).map(|pause| pause.as_secs()).collect();
        assert_eq!(managed, [0, 0, 0, 1, 1, 1, 1, 2, 3, 4, 6, 8, 10, 14, 20, 20]);
        assert!(managed_pause(100_015).is_some() && managed_pause(100_016).is_none());
    }

    #[test]
    fn policies_beyond_their_bounds_are_refused() {
        for retry in [
            r#"{"minDelayTarget": 0}"#,
            r#"{"minDelayTarget": 30}"#,
            r#"{"numRetries": 101}"#,
            r#"{"numRetries": 2, "numNoDelayRetries": 3}"#,
            r#"{"maxDelayTarget": 3600, "numMaxDelayRetries": 2}"#,
            r#"{"backoffFunction": "none"}"#,
            r#"{"numNoDelayRetries": 4294967295, "numMinDelayRetries": 4294967295}"#,
            r#"{"numRetries": "3"}"#,
            r#"{"tries": 3}"#,
        ] {
            assert!(
                DeliveryPolicy::of_subscription(&format!(r#"{{"healthyRetryPolicy": {retry}}}"#)).is_err(),
                "{retry}"
            );
            assert!(
                DeliveryPolicy::of_topic(&format!(r#"{{"http": {{"defaultHealthyRetryPolicy": {retry}}}}}"#))
                    .is_err()
            );
        }
        for text in ["", "[]", "{\"http\": {}}"] {
            assert!(DeliveryPolicy::of_subscription(text).is_err(), "{text}");
        }
    }
}
