//! The peer: the same job on nexosim, one model per ticker, on one thread as the kernel is.
//!
//! Each model schedules its own next event, which is nexosim's cheapest way to come back later, and reports its state
//! once at the end.

use std::time::Duration;

use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventQueueReader, EventSinkReader, Output, SinkState, event_queue};
use nexosim::simulation::{Mailbox, SimInit, Simulation};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

use super::{Job, Outcome, TICKERS, Ticker};

/// A ticker as a model.
#[derive(Serialize, Deserialize)]
struct TickerModel {
    number: usize,
    ticker: Ticker,
    done: Output<(usize, Ticker)>,
}

#[Model]
impl TickerModel {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        Self::schedule(cx, Ticker::first_ns(self.number));
    }

    #[nexosim(schedulable)]
    async fn tick(&mut self, _: (), cx: &Context<Self>) {
        let now = cx.time().duration_since(MonotonicTime::EPOCH);
        let now_ns = now.as_secs() * 1_000_000_000 + u64::from(now.subsec_nanos());
        match self.ticker.tick(now_ns) {
            Some(delay) => Self::schedule(cx, delay),
            None => self.done.send((self.number, self.ticker)).await,
        }
    }
}

impl TickerModel {
    fn schedule(cx: &Context<Self>, delay_ns: u64) {
        let delay = Duration::from_nanos(delay_ns);
        cx.schedule_event(delay, schedulable!(Self::tick), ()).expect("the delay is not zero");
    }
}

/// The job on nexosim.
pub struct Nexosim {
    simulation: Simulation,
    done: EventQueueReader<(usize, Ticker)>,
}

impl Job for Nexosim {
    fn build() -> Self {
        let (sink, done) = event_queue(SinkState::Enabled);
        let mut bench = SimInit::with_num_threads(1);
        for number in 0..TICKERS {
            let mut model = TickerModel { number, ticker: Ticker::new(number), done: Output::default() };
            model.done.connect_sink(sink.clone());
            bench = bench.add_model(model, Mailbox::new(), &format!("ticker {number}"));
        }
        Self { simulation: bench.init(MonotonicTime::EPOCH).expect("the bench is complete"), done }
    }

    fn run(&mut self) -> Outcome {
        self.simulation.run().expect("the models never fail");
        let mut tickers: Vec<(usize, Ticker)> = std::iter::from_fn(|| self.done.try_read()).collect();
        tickers.sort_by_key(|(number, _)| *number);
        Outcome::without_records(tickers.into_iter().map(|(_, ticker)| ticker).collect())
    }
}
