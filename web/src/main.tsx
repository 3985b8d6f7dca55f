import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createApp } from "./state/app";
import "./style.css";
import { AppProvider } from "./ui/context";
import { Shell } from "./views/Shell";

const root = document.getElementById("root");
if (!root) throw new Error("the page has no root");

const app = createApp({ fetch: window.fetch.bind(window), storage: window.localStorage });
void app.catalogue.getState().load();
void app.session.getState().start();

createRoot(root).render(
  <StrictMode>
    <AppProvider value={app}>
      <Shell />
    </AppProvider>
  </StrictMode>,
);
