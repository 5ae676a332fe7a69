//! Tokens, case by case.
#![allow(clippy::unwrap_used)]
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;
use crate::config::ApiSecret;

const HOUR: Duration = Duration::from_secs(3_600);

fn keys(key: &str, secret: &str) -> ApiKeys {
    ApiKeys::from([(key.to_owned(), ApiSecret::new(secret))])
}

fn spec(grants: Grants) -> TokenSpec {
    TokenSpec {
        identity: "ann".into(),
        name: "Ann".into(),
        grants,
        attributes: BTreeMap::from([("role".into(), "client".into())]),
        metadata: "m".into(),
        kind: String::new(),
    }
}

fn token(grants: Grants) -> String {
    TokenMinter::new(keys("devkey", "secret")).mint(spec(grants), HOUR).unwrap()
}

fn join(token: &str, room: Option<&str>) -> Result<(Claims, RoomName), TokenError> {
    TokenVerifier::new(keys("devkey", "secret")).verify_join(token, room)
}

/// A token signed with the right secret but with claims of our own.
fn signed(claims: &serde_json::Value, algorithm: Algorithm) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(b"secret")).unwrap()
}

fn at(offset_s: i64) -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() + offset_s
}

#[test]
fn a_good_token_gives_claims_and_room() {
    let (claims, room) = join(&token(Grants::join("r1")), None).unwrap();
    assert_eq!(room, RoomName::from("r1"));
    assert_eq!((claims.sub.as_str(), claims.name.as_str(), claims.metadata.as_str()), ("ann", "Ann", "m"));
    assert_eq!(claims.attributes["role"], "client");
    let permission = claims.video.unwrap().permission();
    assert!(permission.can_publish && permission.can_subscribe && permission.can_publish_data);
    assert!(!permission.can_update_metadata && !permission.hidden);
}

#[test]
fn bad_tokens_are_told_apart() {
    let good = token(Grants::join("r1"));
    let mut forged = good.clone();
    forged.replace_range(good.len() - 6.., "AAAAAA");
    let other_secret =
        TokenMinter::new(keys("devkey", "guess")).mint(spec(Grants::join("r1")), HOUR).unwrap();
    let other_key = TokenMinter::new(keys("nokey", "secret")).mint(spec(Grants::join("r1")), HOUR).unwrap();
    let claims = |nbf: i64, exp: i64| {
        serde_json::json!({"iss": "devkey", "sub": "ann", "nbf": at(nbf), "exp": at(exp),
            "video": {"roomJoin": true, "room": "r1"}})
    };
    let expired = signed(&claims(-7200, -3600), Algorithm::HS256);
    let early = signed(&claims(600, 3600), Algorithm::HS256);
    let hs512 = signed(&claims(-1, 3600), Algorithm::HS512);
    let endless = signed(&serde_json::json!({"iss": "devkey", "sub": "ann"}), Algorithm::HS256);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let body = URL_SAFE_NO_PAD.encode(claims(-1, 3600).to_string());
    let unsigned = format!("{header}.{body}.");
    // Claims exchanged under a good signature.
    let parts: Vec<&str> = good.split('.').collect();
    let swapped = format!("{}.{body}.{}", parts[0], parts[2]);

    let table = [
        ("", TokenError::Missing),
        ("garbage", TokenError::Malformed("not a JWT")),
        (forged.as_str(), TokenError::BadSignature),
        (swapped.as_str(), TokenError::BadSignature),
        (other_secret.as_str(), TokenError::BadSignature),
        (other_key.as_str(), TokenError::UnknownKey),
        (expired.as_str(), TokenError::Expired),
        (early.as_str(), TokenError::NotYetValid),
        (hs512.as_str(), TokenError::Malformed("only the algorithm HS256 is accepted")),
        (unsigned.as_str(), TokenError::Malformed("not a JWT")),
        (endless.as_str(), TokenError::Malformed("it has no time of expiry")),
    ];
    for (token, expected) in table {
        let error = join(token, None).unwrap_err();
        assert_eq!(error, expected);
        assert_eq!(error.status(), http::StatusCode::UNAUTHORIZED);
    }
    let huge = "a".repeat(MAX_TOKEN_BYTES + 1);
    assert_eq!(join(&huge, None).unwrap_err(), TokenError::Malformed("too long"));
}

#[test]
fn a_good_token_that_does_not_allow_the_join_is_forbidden() {
    let other = join(&token(Grants::join("r1")), Some("r2")).unwrap_err();
    assert_eq!((other.status(), other), (http::StatusCode::FORBIDDEN, TokenError::OtherRoom));
    let lister = token(Grants { room_list: true, ..Grants::default() });
    let no_grant = join(&lister, Some("r1")).unwrap_err();
    assert_eq!((no_grant.status(), no_grant), (http::StatusCode::FORBIDDEN, TokenError::NoJoinGrant));
    let no_room = token(Grants { room_join: true, ..Grants::default() });
    assert_eq!(join(&no_room, None).unwrap_err(), TokenError::NoRoom);
    assert_eq!(join(&no_room, Some("r3")).unwrap().1, RoomName::from("r3"));
    let nobody = TokenMinter::new(keys("devkey", "secret"))
        .mint(TokenSpec { grants: Grants::join("r1"), ..TokenSpec::default() }, HOUR)
        .unwrap();
    assert_eq!(join(&nobody, None).unwrap_err(), TokenError::NoIdentity);
}

#[test]
fn permissions_follow_the_grants() {
    let listener = Grants { can_publish: Some(false), ..Grants::join("r1") }.permission();
    assert!(!listener.can_publish && !listener.can_publish_data && listener.can_subscribe);
    let mut grants = Grants {
        can_publish_sources: vec!["microphone".into(), "screen_share".into()],
        ..Grants::join("r1")
    };
    let permission = grants.permission();
    let sources = [proto::TrackSource::Microphone as i32, proto::TrackSource::ScreenShare as i32];
    assert_eq!(permission.can_publish_sources, sources);
    grants.restrict_to(&permission);
    assert_eq!(grants.permission(), permission);
    assert_eq!(grants.can_publish_sources, ["microphone", "screen_share"]);
}

#[test]
fn reads_tokens_as_other_sdks_write_them() {
    let token = signed(
        &serde_json::json!({
            "iss": "devkey", "sub": "bob", "exp": at(60), "nbf": at(0), "jti": "bob", "sha256": "",
            "kind": "agent", "roomConfig": {"name": "x"},
            "video": {"roomJoin": true, "room": "r1", "canPublish": true, "canSubscribe": false,
                      "canUpdateOwnMetadata": true, "hidden": true, "somethingNew": 5}
        }),
        Algorithm::HS256,
    );
    let (claims, _) = join(&token, Some("r1")).unwrap();
    assert_eq!(claims.kind(), proto::participant_info::Kind::Agent);
    let permission = claims.video.unwrap().permission();
    assert!(permission.hidden && permission.can_update_metadata && !permission.can_subscribe);
}
