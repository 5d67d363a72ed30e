/** Runs in the browser; kept as text so that the page needs no bundler. Text from outside only ever becomes `textContent`. */
export const script = `'use strict';
const kinds = { active: 'good', converged: 'good', idle: 'good', live: 'good', sent: 'busy', acked: 'busy', rolling: 'busy', holding: 'busy', rejected: 'bad', aborted: 'bad', refused: 'bad', failed: 'bad', quarantined: 'bad', unknown: 'off', none: 'off', unproven: 'off', superseded: 'off' };
const legs = ['fetch', 'compile', 'diff', 'validate', 'sign', 'preview', 'update', 'converge'];
const at = (id) => document.getElementById(id);
function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = String(text);
  if (kind) element.className = kind;
  return element;
}
function cell(part) {
  const text = part ? part.phase + (part.set === 'candidate' ? ' (candidate)' : '') : '-';
  return make('td', text, part ? kinds[part.phase] : 'off');
}
function troubles(proxy) {
  const cell = make('td');
  if (proxy.lastError) cell.append(make('div', proxy.lastError, 'bad'));
  for (const one of proxy.secrets || []) cell.append(make('div', one.kind + ' ' + one.name + ' ' + one.state + ': ' + one.reason, one.state === 'ending' ? 'busy' : 'bad'));
  return cell;
}
function showRollout(mesh) {
  const proxies = mesh ? mesh.proxies : [];
  const concerned = proxies.filter((proxy) => proxy.concerned);
  const shown = concerned.length > 0 ? concerned : proxies;
  const bar = make('div', null, 'bar');
  bar.setAttribute('role', 'img');
  const label = [];
  for (const proxy of shown) {
    const phase = [proxy.parts.inbound.phase, proxy.parts.outbound.phase].find((one) => one !== 'active') || 'active';
    const box = make('span', proxy.instance, kinds[phase]);
    box.style.width = 100 / shown.length + '%';
    box.title = proxy.instance + ': ' + phase;
    label.push(proxy.instance + ' ' + phase);
    bar.append(box);
  }
  bar.setAttribute('aria-label', label.join(', ') || 'no proxies');
  at('waves').replaceChildren(bar);
  at('rollout').textContent = mesh
    ? 'generation ' + mesh.generation + ', ' + mesh.state + (mesh.step === null ? '' : ', step ' + (mesh.step + 1) + ' of ' + mesh.steps) + (mesh.wave === null ? '' : ', wave ' + (mesh.wave + 1)) + (mesh.message ? ': ' + mesh.message.replace(mesh.state + ', ', '') : '')
    : 'the control plane does not answer';
  at('proxies').replaceChildren(...proxies.map((proxy) => {
    const row = make('tr');
    row.append(make('td', proxy.instance), make('td', proxy.workload), cell(proxy.parts.inbound), cell(proxy.parts.outbound), make('td', proxy.connected ? proxy.envoyVersion : 'not connected', proxy.connected ? '' : 'off'), make('td', proxy.responses), troubles(proxy));
    return row;
  }));
}
function showCommit(attempt) {
  const item = make('li');
  const line = make('div');
  line.append(make('code', String(attempt.commit).slice(0, 12)), ' ', make('span', attempt.outcome || attempt.phase, kinds[attempt.outcome] || kinds[attempt.phase] || 'busy'));
  if (attempt.summary) line.append(' ', make('span', attempt.summary, 'dim'));
  item.append(line);
  const times = legs.filter((leg) => attempt.legs && attempt.legs[leg] > 0).map((leg) => [leg, attempt.legs[leg]]);
  const total = times.reduce((sum, [, ms]) => sum + ms, 0);
  if (total > 0) {
    const bar = make('div', null, 'bar');
    bar.setAttribute('role', 'img');
    bar.setAttribute('aria-label', times.map(([leg, ms]) => leg + ' ' + Math.round(ms) + ' ms').join(', '));
    for (const [leg, ms] of times) {
      const box = make('span', leg + ' ' + Math.round(ms) + ' ms');
      box.style.width = (100 * ms) / total + '%';
      box.title = leg + ': ' + Math.round(ms) + ' ms';
      bar.append(box);
    }
    item.append(bar);
  }
  for (const found of attempt.diagnostics || []) {
    const where = found.span ? found.span.file + ':' + found.span.line + ':' + found.span.column + ' ' : '';
    item.append(make('div', where + found.severity + ' ' + found.code + ' ' + found.message, found.severity === 'error' ? 'bad' : 'busy'));
  }
  return item;
}
async function ask() {
  try {
    const answer = await fetch('/v1/status', { cache: 'no-store' });
    if (!answer.ok) throw new Error('status ' + answer.status);
    const status = await answer.json();
    const mesh = status.mesh;
    at('headline').textContent = 'live ' + (status.live ? status.live.commit.slice(0, 12) : 'nothing yet') + (mesh ? ', ' + mesh.environment + ', ' + mesh.proxies.filter((proxy) => proxy.connected).length + ' of ' + mesh.proxies.length + ' proxies connected' : '');
    showRollout(mesh);
    at('commits').replaceChildren(...(status.attempts || []).slice(0, 30).map(showCommit));
  } catch (error) {
    at('headline').textContent = 'the loop does not answer: ' + error.message;
  }
  setTimeout(ask, 1000);
}
ask();
`;
