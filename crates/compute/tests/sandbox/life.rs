//! What becomes of invocations: responses, errors, ends of all kinds.

use libtest_mimic::Trial;
use serde_json::json;

use crate::rig::Rig;
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("a_handler_answers", a_handler_answers)]
}

async fn a_handler_answers() {
    let rig = Rig::start("a_handler_answers");
    let hello = rig.python(
        "hello",
        "def handler(event, context):\n    print('greeting')\n    return {'hello': event['name']}\n",
    );
    let outcome = rig.invoke(&hello, r#"{"name": "swift"}"#).await;
    assert_eq!(crate::rig::json(&outcome), json!({"hello": "swift"}), "{}", outcome.log);
    println!("{}", outcome.log);
    for _ in 0..5 {
        let outcome = rig.invoke(&hello, r#"{"name": "swift"}"#).await;
        println!("{}", outcome.log);
    }
    rig.compute.stop().await;
}
