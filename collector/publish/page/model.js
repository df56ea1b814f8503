// The document /matrix as rows of cells.

const CELL = {'?': 0, U: 1, D: 2};
const LETTER = ['?', 'U', 'D', '–'];
const MISSING = 3;

// Runs such as 12UD987U into `row`.
const readRuns = (runs, row) => {
  let at = 0, length = 0;
  for (let i = 0; i < runs.length && at < row.length; i++) {
    const c = runs.charCodeAt(i);
    if (c >= 48 && c <= 57) {
      length = length * 10 + c - 48;
      continue;
    }
    const end = Math.min(row.length, at + (length || 1));
    row.fill(CELL[runs[i]] ?? 0, at, end);
    at = end;
    length = 0;
  }
  row.fill(0, at);
};

const same = (a, b) => a.address === b.address && a.dc === b.dc && a.rack === b.rack;
const byPlace = new Intl.Collator('en', {numeric: true}).compare;

// Who stands where: `order` has places in the list, by DC, rack and address.
const arrange = nodes => {
  const order = nodes.map((_, i) => i).sort((a, b) =>
    byPlace(nodes[a].dc || '~', nodes[b].dc || '~') || byPlace(nodes[a].rack || '~', nodes[b].rack || '~') || a - b);
  const groups = [];
  order.forEach((i, at) => {
    const {dc, rack} = nodes[i], last = groups[groups.length - 1];
    if (last && last.dc === dc && last.rack === rack) last.size++;
    else groups.push({dc, rack, at, size: 1});
  });
  return {order, groups};
};

// The part that all addresses begin with, up to a dot or colon.
const commonPrefix = addresses => {
  if (addresses.length < 2) return '';
  let prefix = addresses[0];
  for (const address of addresses)
    while (!address.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return prefix.replace(/[^.:]*$/, '');
};

// Takes a new document in. `rows`: the places in the list of the observers whose cells changed; null: all, and who there is.
const readMatrix = (value, before) => {
  const nodes = list(value.nodes), n = nodes.length;
  const kept = before && before.nodes.length === n && nodes.every((node, i) => same(node, before.nodes[i]));
  const model = kept ? before : {...arrange(nodes), cells: new Uint8Array(n * n), prefix: commonPrefix(nodes.map(node => node.address))};
  const rows = [];
  for (let i = 0; i < n; i++) {
    if (kept && before.nodes[i].view === nodes[i].view) continue;
    const row = model.cells.subarray(i * n, (i + 1) * n);
    if (typeof nodes[i].view === 'string') readRuns(nodes[i].view, row);
    else row.fill(MISSING);
    rows.push(i);
  }
  return {model: {...model, nodes, n, cluster: value.cluster}, rows: kept ? rows : null};
};

const sentenceOf = (model, observer, subject) => {
  const a = model.nodes[observer], b = model.nodes[subject], cell = model.cells[observer * model.n + subject];
  if (cell === MISSING) return `There is no fresh view of ${a.address}: ${a.missing}.`;
  const who = a === b ? 'itself' : b.address;
  return cell === 0 ? `${a.address} has no opinion of ${who}.` : `${a.address} sees ${who} ${cell === 1 ? 'UP' : 'DOWN'}.`;
};
