// Changes: only where the site lets a named user make them. Whether it does is asked when somebody wants to.

let operator = null;

const REFUSED = {
  401: 'That login was not taken.',
  403: 'Nobody may change anything here: no user is named in the nginx site.',
  404: 'Changes are not enabled in the nginx site.',
  405: 'Changes are not enabled in the nginx site (prober_control).',
  0: 'No answer.',
};

const operate = async () => {
  const button = $('operate');
  if (operator) {
    operator = null;
    say($('operator'), '');
  } else {
    button.disabled = true;
    // The browser asks for name and password when nginx does.
    const answer = await send('POST', 'whoami');
    button.disabled = false;
    if (answer.status !== 200) say($('operator'), REFUSED[answer.status] || `No: ${answer.status} ${answer.text.slice(0, 80)}`);
    else if (answer.text.startsWith('uid ')) say($('operator'), 'nginx asks nobody for a name here; let it (auth_basic), then operate.');
    else {
      operator = answer.text;
      say($('operator'), `Operating as ${operator}`);
    }
  }
  button.textContent = operator ? 'Stop operating' : 'Operate…';
  drawer.showActs();
  showJobs(current.jobs);
};

// A button that wants to be pressed twice.
const twice = (text, really, work) => {
  const said = make('span', {role: 'status'});
  let armed = 0;
  const button = make('button.danger', {type: 'button', onclick: async () => {
    if (!armed) {
      button.textContent = really;
      armed = setTimeout(() => { armed = 0; button.textContent = text; }, 6000);
      return;
    }
    clearTimeout(armed);
    armed = 0;
    button.textContent = text;
    button.disabled = true;
    const answer = await work();
    button.disabled = false;
    say(said, answer.status === 200 ? 'done' : `refused: ${answer.status} ${answer.text.slice(0, 200)}`);
  }}, text);
  return [button, said];
};

const nodeActs = (address, after) => {
  const ttl = make('select', {'aria-label': 'for how long'}, [['10m', '10 minutes'], ['30m', '30 minutes'], ['2h', '2 hours'], ['', 'until undrained']]
    .map(([value, text]) => make('option', {value}, text)));
  const change = async (method, query) => {
    const answer = await send(method, `drain/${encodeURIComponent(address)}${query}`);
    after();
    return answer;
  };
  return [make('h3', 'Operate'),
    make('p.acts', twice('Drain', `Drain ${address}?`, () => change('PUT', ttl.value ? `?ttl=${ttl.value}` : '')), ttl),
    make('p.acts', twice('Undrain', `Undrain ${address}?`, () => change('DELETE', '')))];
};

const suspendActs = suspended => make('p.acts', twice(suspended ? 'Resume' : 'Suspend', suspended ? 'Resume, really?' : 'Suspend, really?',
  () => send('POST', `admin/cluster/observer/suspend?value=${!suspended}`)));
