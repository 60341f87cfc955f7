import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { Broken } from "./Broken";
import "./styles.css";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Broken>
      <App />
    </Broken>
  </StrictMode>,
);
