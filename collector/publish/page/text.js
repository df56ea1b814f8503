// Elements and words. What came as JSON gets into the page as text alone.

const $ = id => document.getElementById(id);

const put = (element, ...children) => {
  element.replaceChildren(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return element;
};

// make('li.soft', {title: '…'}, 'text', element…)
const make = (what, ...children) => {
  const [tag, ...classes] = what.split('.');
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  const first = children[0];
  if (first && typeof first === 'object' && !(first instanceof Node) && !Array.isArray(first)) {
    children.shift();
    for (const [name, value] of Object.entries(first))
      if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  return children.length ? put(element, ...children) : element;
};

// Says it only when it is something else, or a screen reader would say it again.
const say = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

const list = value => Array.isArray(value) ? value : [];
const count = (n, one, many) => `${n.toLocaleString('en')} ${n === 1 ? one : many || one + 's'}`;

const span = ms => {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
};

const clock = date => date.toLocaleTimeString('en-GB');

const when = text => {
  const date = new Date(text);
  if (!text || isNaN(date)) return '';
  return Date.now() - date < 86400000 ? clock(date) : `${date.toLocaleDateString('en-CA')} ${clock(date).slice(0, 5)}`;
};

const since = text => text && !isNaN(new Date(text))
  ? make('time', {datetime: text, title: text}, `since ${when(text)} (${span(Date.now() - new Date(text))})`) : null;

const place = node => [node.dc, node.rack].filter(Boolean).join(' · ') || 'DC unknown';

const nodeButton = address => make('button.link', {type: 'button', 'data-node': address}, String(address));

// What a person does next about a reason. The first that matches.
const advice = [
  [/^run state TERMINATE/, () => ['stopped for good; another node may take its place']],
  [/^run state/, n => ['stopped by an operator; when it may run again: ', `proberctl run-state ${n} RUN`]],
  [/^is being restarted/, () => ['it is being restarted: wait']],
  [/^process gone/, () => ['start it on that host: ', 'systemctl start cassandra']],
  [/^drained/, n => ['taken out of service; when the work is done: ', `proberctl undrain ${n}`]],
  [/^hung/, () => ['it runs and does not answer: a long garbage collection, swapping or a stopped process; see ', 'journalctl -u cassandra']],
  [/^starting/, () => ['it starts or stops; follow it there: ', 'journalctl -fu cassandra']],
  [/^DOWN by/, () => ['see whether it runs, and reaches port 7000 of the others: ', 'systemctl status cassandra']],
  [/^lost its vote/, () => ['it and the others contradict each other: look for a network split around that host']],
  [/^mode (JOINING|STARTING)|^status BOOT|^no status/, () => ['it joins: wait, and follow ', 'nodetool netstats']],
  [/^mode (LEAVING|MOVING)|^status (LEAVING|MOVING)/, () => ['it hands over its data: wait, and follow ', 'nodetool netstats']],
  [/^mode (DRAIN|DECOMM)|^status (shutdown|LEFT)/, () => ['it was shut down by somebody; to have it back: ', 'systemctl restart cassandra']],
  [/^native transport off/, () => ['it takes no clients; on that host: ', 'nodetool enablebinary']],
  [/^gossip off/, () => ['it talks to no other node; on that host: ', 'nodetool enablegossip']],
  [/needed observers count/, () => ['too few views count; see the rows without a view, and the prober on those hosts']],
  [/^rehab/, () => ['it changed too often and has to stay well for a while; find out why in ', 'journalctl -u cassandra']],
  [/^rising/, () => ['it comes up: wait']],
  [/^not seen/, () => ['some have not heard of it yet: wait some seconds']],
];

const todo = (node, reasons) => {
  for (const [pattern, words] of advice)
    if (reasons.some(reason => pattern.test(reason))) {
      const [text, command] = words(node);
      return make('p.todo', text, command && make('code', command));
    }
  return make('p.todo', 'all that is known of it: ', make('code', `proberctl why ${node}`));
};
