// A plain page over the API: a graph's text, checked as it is typed, run with progress and previews.
const at = id => document.getElementById(id)
const api = async (path, body) => {
  const answer = await fetch(`api/v1/${path}`, body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  return { ok: answer.ok, found: await answer.json() }
}
const say = text => { at('state').textContent = text }
const faults = found => at('faults').replaceChildren(...(found ?? []).map(f => Object.assign(document.createElement('li'),
  { className: f.severity, textContent: `${f.line ?? ''}:${f.column ?? ''} ${f.code} ${f.message}${f.hint ? ` (${f.hint})` : ''}` })))
const picture = (id, digest) => { const img = at(id) ?? at('pictures').appendChild(Object.assign(new Image(), { id, alt: id })); img.src = `api/v1/files/${digest}` }
const path = () => at('graphs').value
let version = 0, timer, job
const check = async () => {
  const mine = ++version
  const { ok, found } = await api('check', { path: path(), text: at('text').value, version: mine, level: 'shapes' })
  if (mine !== version || found.type === 'superseded') return
  faults(found.diagnostics); say(ok && !found.diagnostics.length ? 'ok' : found.detail ?? '')
}
const open = async () => { const { found } = await api(`graphs/${path()}`); at('text').value = found.text; check() }
at('text').oninput = () => { clearTimeout(timer); timer = setTimeout(check, 300) }
at('graphs').onchange = open
at('run').onclick = async () => {
  at('pictures').replaceChildren()
  const { ok, found } = await api('jobs', { graph: path(), text: at('text').value })
  if (ok) { job = found.id; at('cancel').hidden = false; say('queued') } else { faults(found.diagnostics); say(found.detail) }
}
at('cancel').onclick = () => api(`jobs/${job}/cancel`, {})
const events = new EventSource('api/v1/events')
const on = (name, deed) => events.addEventListener(name, event => { const told = JSON.parse(event.data); if (told.job === job) deed(told) })
on('node.started', e => say(`${e.node} …`))
on('node.step', e => { Object.assign(at('bar'), { hidden: false, value: e.done, max: e.total }); if (e.preview) picture(`node ${e.node}`, e.preview) })
on('output', e => { if (e.value?.media?.startsWith('image/')) picture(`output ${e.name}`, e.value.file) })
for (const end of ['done', 'failed', 'cancelled', 'interrupted']) on(`job.${end}`, e => { at('bar').hidden = at('cancel').hidden = true; say(end); faults(e.faults) })
const { found } = await api('graphs')
at('graphs').replaceChildren(...[...found.workspace, ...found.shipped].map(g => new Option(g.path)))
if ([...at('graphs').options].some(o => o.value === 'glide/text_to_image')) at('graphs').value = 'glide/text_to_image'
open()
