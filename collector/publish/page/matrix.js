// Up to 100 nodes: a table, walked with the arrow keys.

const tableOf = (box, readout, open) => {
  let model = null, cells = [], rowHeads = [], colHeads = [], at = [0, 0], lit = [];

  const short = address => address.slice(model.prefix.length) || address;
  const element = ([r, c]) => r < 0 ? colHeads[c] : c < 0 ? rowHeads[r] : cells[r]?.[c];

  const mark = (r, c) => {
    lit.forEach(head => head.classList.remove('on'));
    lit = [rowHeads[r], colHeads[c]].filter(Boolean);
    lit.forEach(head => head.classList.add('on'));
    if (r >= 0 && c >= 0) say(readout, sentenceOf(model, model.order[r], model.order[c]));
  };

  const move = (r, c, focus) => {
    const old = element(at);
    if (old) old.tabIndex = -1;
    at = [r, c];
    const now = element(at);
    now.tabIndex = 0;
    if (focus) now.focus();
  };

  const showCell = (r, c) => {
    const cell = cells[r][c], code = model.cells[model.order[r] * model.n + model.order[c]];
    if (cell.code === code) return;
    cell.code = code;
    cell.textContent = LETTER[code];
    cell.className = `c${code}${cell.more}`;
  };

  const showHead = (head, node) => head.classList.toggle('bad', node.verdict !== 'ready');

  const starts = () => {
    const first = new Set(model.groups.map(group => group.at));
    first.delete(0);
    return first;
  };

  const heads = () => {
    const dcs = [], first = starts();
    for (const group of model.groups) {
      const last = dcs[dcs.length - 1];
      if (last && last.dc === group.dc) last.size += group.size;
      else dcs.push({...group});
    }
    const name = (text, group, more) => make(`th.group${more}${first.has(group.at) ? '.gap' : ''}`,
      {colspan: group.size, scope: 'colgroup', title: text}, text);
    colHeads = model.order.map((i, c) => make(`th.col${first.has(c) ? '.gap' : ''}`,
      {scope: 'col', tabindex: -1, title: model.nodes[i].address}, make('span', short(model.nodes[i].address))));
    return make('thead',
      make('tr', make('td.corner'), dcs.map(dc => name(dc.dc || 'DC unknown', dc, ''))),
      make('tr', make('td.corner'), model.groups.map(group => name(group.rack || 'rack unknown', group, '.rack'))),
      make('tr', make('th.corner', {scope: 'col'}, model.prefix ? `${model.prefix}…` : 'sees →'), colHeads));
  };

  const rows = () => {
    const first = starts();
    cells = [];
    rowHeads = [];
    return model.groups.map(group => {
      const body = make('tbody', make('tr', make('th.group.rows', {scope: 'rowgroup', colspan: 1}, place(group)),
        make('td.blank', {colspan: model.n})));
      for (let r = group.at; r < group.at + group.size; r++) {
        const head = make('th', {scope: 'row', tabindex: -1, title: model.nodes[model.order[r]].address},
          short(model.nodes[model.order[r]].address));
        rowHeads[r] = head;
        cells[r] = model.order.map((_, c) => {
          const cell = make('td', {tabindex: -1});
          cell.more = (r === c ? ' self' : '') + (first.has(c) ? ' gap' : '');
          return cell;
        });
        body.append(make('tr', head, cells[r]));
      }
      return body;
    });
  };

  const build = () => {
    const room = Math.min(box.clientWidth || 900, 2200) - 120 - 8 * model.groups.length;
    const size = Math.max(15, Math.min(34, Math.floor(room / model.n) - 2));
    const table = make('table.who', {role: 'grid', 'aria-label': 'Who sees whom: rows are observers, columns are whom they see'}, heads(), rows());
    table.style.setProperty('--cell', `${model.n > 20 ? size : Math.max(26, size)}px`);
    at = [0, 0];
    put(box, table);
    for (let r = 0; r < model.n; r++) for (let c = 0; c < model.n; c++) showCell(r, c);
    if (model.n) element(at).tabIndex = 0;
  };

  const find = target => {
    const cell = target.closest && target.closest('td, th');
    if (!cell) return null;
    let i = colHeads.indexOf(cell);
    if (i >= 0) return [-1, i];
    if ((i = rowHeads.indexOf(cell)) >= 0) return [i, -1];
    for (let r = 0; r < cells.length; r++)
      if ((i = cells[r].indexOf(cell)) >= 0) return [r, i];
    return null;
  };

  const openAt = ([r, c]) => open(model.nodes[model.order[c >= 0 ? c : r]].address);

  const keys = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
  const onKey = event => {
    const step = keys[event.key], last = model.n - 1;
    let [r, c] = at;
    if (event.key === 'Enter' || event.key === ' ') openAt(at);
    else if (event.key === 'Home') [r, c] = event.ctrlKey ? [0, 0] : [r, 0];
    else if (event.key === 'End') [r, c] = event.ctrlKey ? [last, last] : [r, last];
    else if (step) [r, c] = [r + step[0], c + step[1]];
    else return;
    event.preventDefault();
    r = Math.max(-1, Math.min(last, r));
    c = Math.max(-1, Math.min(last, c));
    if (!(r < 0 && c < 0) && (r !== at[0] || c !== at[1])) move(r, c, true);
  };

  const listen = (name, work) => box.addEventListener(name, event => {
    const found = model && cells.length && find(event.target);
    if (found) work(found, event);
  });
  listen('focusin', found => { move(...found, false); mark(...found); });
  listen('pointerover', found => mark(...found));
  listen('click', found => { move(...found, true); openAt(found); });
  box.addEventListener('keydown', event => { if (cells.length && event.target.closest('table')) onKey(event); });

  return {
    show(next, changed) {
      const rebuild = !model || changed === null || !cells.length;
      model = next;
      if (rebuild) build();
      else {
        const where = new Map(model.order.map((i, r) => [i, r]));
        for (const i of changed) for (let c = 0; c < model.n; c++) showCell(where.get(i), c);
      }
      model.order.forEach((i, r) => {
        showHead(rowHeads[r], model.nodes[i]);
        showHead(colHeads[r], model.nodes[i]);
      });
    },
    leave() { model = null; cells = []; },
  };
};
