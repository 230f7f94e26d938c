//! What the checks of a survey find out only once.

use pghaul_core::Failure;
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

type Known = Arc<dyn Any + Send + Sync>;

/// Answers by question. Whoever asks while somebody finds out waits for him.
#[derive(Default)]
pub(crate) struct Memo(Mutex<HashMap<String, Arc<OnceCell<Known>>>>);

impl Memo {
    /// The answer to a question, found out by the first who asks. A failure is not remembered.
    pub(crate) async fn once<T: Send + Sync + 'static>(
        &self,
        question: &str,
        find_out: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<Arc<T>, Failure> {
        let cell = {
            let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(question.to_owned()).or_default())
        };
        // On the heap: it may be large, and is moved several times.
        let find_out = Box::pin(find_out);
        let find_out = async { find_out.await.map(|answer| Arc::new(answer) as Known) };
        let answer = cell.get_or_try_init(|| find_out).await?;
        let typed = Arc::clone(answer).downcast::<T>();
        typed.map_err(|_| Failure::bug(format!("two checks mean different things by {question:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::Memo;
    use pghaul_core::{Code, Failure};

    #[tokio::test]
    async fn a_question_is_asked_until_it_is_answered() {
        let memo = Memo::default();
        let unlucky = async { Err(Failure::new(Code::ConnectionLost, "lost")) };
        assert!(memo.once::<u32>("n", unlucky).await.is_err());
        assert_eq!(*memo.once("n", async { Ok(1_u32) }).await.unwrap(), 1);
        assert_eq!(*memo.once("n", async { Ok(2_u32) }).await.unwrap(), 1);
        assert_eq!(*memo.once("m", async { Ok(2_u32) }).await.unwrap(), 2);
        assert_eq!(
            memo.once("n", async { Ok("text") }).await.unwrap_err().code,
            Code::Bug
        );
    }
}
