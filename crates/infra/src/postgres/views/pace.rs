//! How fast work goes and what it costs, by what the newest work of each kind did.

use domain::job::Kind;
use sqlx::PgPool;

use crate::postgres::PostgresError;

/// What work of one kind takes and costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The kind.
    pub kind: Kind,
    /// How many were measured.
    pub samples: i64,
    /// The middle one's time, in seconds.
    pub seconds: f64,
    /// What they cost on average, in the currency of the providers' prices.
    pub cost: f64,
}

/// What the newest work of each kind took and cost; a kind of which there was none is absent. What was there already
/// says nothing; when there is very much of that, only 20 times as many are looked at.
pub async fn measured(pool: &PgPool, newest: i64) -> Result<Vec<Measured>, PostgresError> {
    let rows: Vec<(String, i64, f64, f64)> = sqlx::query_as(
        "SELECT k.kind, count(*), \
           percentile_cont(0.5) WITHIN GROUP (ORDER BY (made.made_with->>'millis')::float8) / 1000, \
           avg(coalesce((made.made_with->>'cost')::float8, 0)) \
         FROM unnest(ARRAY['storyboard', 'image', 'video', 'tts', 'film']) AS k(kind) CROSS JOIN LATERAL \
           (SELECT made_with FROM ( \
              (SELECT made_with FROM takes WHERE kind = k.kind ORDER BY created_at DESC LIMIT 20 * $1) \
              UNION ALL \
              (SELECT made_with FROM tasks WHERE kind = k.kind AND kind IN ('storyboard', 'film') AND status = 'finished' \
               ORDER BY finished_at DESC LIMIT $1)) newest \
            WHERE (made_with->>'millis')::bigint > 0 LIMIT $1) made GROUP BY k.kind",
    )
    .bind(newest)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("measure work"))?;
    rows.into_iter()
        .map(|(kind, samples, seconds, cost)| {
            let kind = kind.parse().map_err(PostgresError::Corrupt)?;
            Ok(Measured { kind, samples, seconds, cost })
        })
        .collect()
}
