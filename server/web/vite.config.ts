import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// Everything is one folder that is served as it is, below any prefix. `npm run dev` passes the API on to `nodegraph serve`.
export default defineConfig({
  base: './',
  plugins: [react()],
  build: { target: 'es2023', license: { fileName: 'assets/licenses.md' }, chunkSizeWarningLimit: 900, modulePreload: { polyfill: false } },
  server: { proxy: { '/api': 'http://127.0.0.1:8765', '/enter': 'http://127.0.0.1:8765' } },
})
