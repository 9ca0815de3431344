// Outside the page, because its policy allows no inline script.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, displayRequestDuration: true });
