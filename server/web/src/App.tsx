import { useEffect, useState } from 'react'
import { addressOf, ask, type Check, type Diagnostic, fileAddress, get, type GraphFile, type GraphList, isPicture, type Job, post, Problem } from './api'

const FIRST = 'glide/text_to_image'

/** A graph's text, checked as it is typed, run with progress and previews. */
export function App() {
  const [paths, setPaths] = useState<string[]>([])
  const [path, setPath] = useState(FIRST)
  const [text, setText] = useState('')
  const [faults, setFaults] = useState<Diagnostic[]>([])
  const [said, setSaid] = useState('')
  const [job, setJob] = useState<string>()
  const [pictures, setPictures] = useState<Record<string, string>>({})
  const refused = (problem: unknown) => {
    if (!(problem instanceof Problem)) throw problem
    setFaults(problem.diagnostics)
    setSaid(problem.message)
  }
  useEffect(() => {
    get<GraphList>('graphs').then(found => setPaths([...found.workspace, ...found.shipped].map(graph => graph.path)), refused)
  }, [])
  useEffect(() => {
    ask<GraphFile>('GET', `graphs/${path}`).then(({ found }) => setText(found.text), refused)
  }, [path])
  useEffect(() => {
    let wanted = true
    const timer = setTimeout(() => {
      const told = (found: Check) => wanted && setFaults(found.diagnostics)
      if (text) post<Check>('check', { path, text, level: 'types' }).then(told, refused)
    }, 300)
    return () => {
      wanted = false
      clearTimeout(timer)
    }
  }, [path, text])
  useEffect(() => {
    if (!job) return
    const events = new EventSource(addressOf(`events?jobs=${job}&since=0`))
    const on = (name: string, deed: (told: any) => void) => events.addEventListener(name, event => deed(JSON.parse((event as MessageEvent).data)))
    const show = (name: string, digest: string) => setPictures(old => ({ ...old, [name]: digest }))
    on('node.started', told => setSaid(`${told.node} …`))
    on('node.step', told => told.preview && show(told.node, told.preview))
    on('output', told => isPicture(told.value) && show(told.name, told.value.file))
    for (const end of ['done', 'failed', 'cancelled', 'interrupted'])
      on(`job.${end}`, told => {
        setSaid(end)
        setFaults(told.faults ?? [])
        setJob(undefined)
      })
    return () => events.close()
  }, [job])
  const run = () => {
    setPictures({})
    post<Job>('jobs', { graph: path, text }).then(found => setJob(found.id), refused)
  }
  return (
    <main className="plain">
      <h1>nodegraph</h1>
      <select aria-label="graph" value={path} onChange={event => setPath(event.target.value)}>
        {paths.map(name => (
          <option key={name}>{name}</option>
        ))}
      </select>{' '}
      {job ? <button onClick={() => post(`jobs/${job}/cancel`)}>Cancel</button> : <button onClick={run}>Run</button>} <span role="status">{said}</span>
      <textarea aria-label="text of the graph" spellCheck={false} value={text} onChange={event => setText(event.target.value)} />
      <ul>
        {faults.map((fault, n) => (
          <li key={n}>
            {fault.line}:{fault.column} {fault.code} {fault.message} {fault.hint}
          </li>
        ))}
      </ul>
      {Object.entries(pictures).map(([name, digest]) => (
        <img key={name} alt={name} src={fileAddress(digest)} />
      ))}
    </main>
  )
}
