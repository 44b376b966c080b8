//! Names that a scenario gives, put in where the twin counts: `N17` is `gateway`, injection 0 is `PowerCut-1`.

use serde_json::Value;

use super::check::Scenario;
use crate::node::NodeId;

/// Names of further nodes and of faults.
#[derive(Clone, Debug, Default)]
pub struct GivenNames {
    nodes: Vec<String>,
    faults: Vec<String>,
}

impl GivenNames {
    /// Those of a scenario.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            nodes: scenario.further_names().map(str::to_owned).collect(),
            faults: scenario.faults.iter().map(|fault| fault.id.clone()).collect(),
        }
    }

    /// The name of a node.
    #[must_use]
    pub fn node(&self, node: NodeId) -> String {
        let further = node.index().checked_sub(NodeId::FIRST_FURTHER.index());
        further.and_then(|index| self.nodes.get(index)).cloned().unwrap_or_else(|| node.to_string())
    }

    /// A text of the twin with the further nodes by their names.
    #[must_use]
    pub fn put_into(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('N') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let joined = out.chars().next_back().is_some_and(char::is_alphanumeric);
            let (node, after) = match self.numbered(from).filter(|_| !joined) {
                Some((name, after)) => (name, after),
                None => from.split_at(1),
            };
            out.push_str(node);
            rest = after;
        }
        out + rest
    }

    /// The name that a text which begins with a node's number begins with instead, and what follows.
    fn numbered<'a>(&'a self, text: &'a str) -> Option<(&'a str, &'a str)> {
        let digits = text.get(1..3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let after = text.get(3..)?;
        let index = digits.parse::<usize>().ok()?.checked_sub(NodeId::FIRST_FURTHER.index())?;
        let ends = !after.starts_with(char::is_alphanumeric);
        self.nodes.get(index).filter(|_| ends).map(|name| (name.as_str(), after))
    }

    /// Puts the names into the fields of an event.
    pub fn put_into_fields(&self, data: &mut Value) {
        match data {
            // Of the many texts of a recording few name a further node.
            Value::String(text) if text.contains('N') => *text = self.put_into(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.put_into_fields(item)),
            Value::Object(fields) => {
                for (key, value) in fields.iter_mut() {
                    match value.as_u64().filter(|_| key == "injection") {
                        Some(number) => *value = self.fault(number),
                        None => self.put_into_fields(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn fault(&self, number: u64) -> Value {
        let id = usize::try_from(number).ok().and_then(|number| self.faults.get(number));
        id.map_or_else(|| number.into(), |id| id.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names() -> GivenNames {
        GivenNames { nodes: vec!["hall".to_owned(), "N17".to_owned()], faults: vec!["PowerCut-1".to_owned()] }
    }

    #[test]
    fn numbers_of_further_nodes_become_their_names_once() {
        assert_eq!(names().put_into("N17, N18 and N19: xN17 N177 N1 N"), "hall, N17 and N19: xN17 N177 N1 N");
        assert_eq!(names().node(NodeId::new(17)), "hall");
        assert_eq!(names().node(NodeId::new(3)), "P03");
    }

    #[test]
    fn fields_have_names_wherever_they_stand() {
        let mut data = json!({ "injection": 0, "seen_by": ["P01", "N17"], "effect": "N17 is off", "count": 17 });
        names().put_into_fields(&mut data);
        assert_eq!(
            data,
            json!({ "injection": "PowerCut-1", "seen_by": ["P01", "hall"], "effect": "hall is off", "count": 17 })
        );
    }
}
