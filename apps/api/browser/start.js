import { signToken } from './sign-token.js'

/* The validator is on the network, and would learn the address of this hub. */
const reference = globalThis.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
})

const form = document.querySelector('#access')
const [field, said] = [form.querySelector('input'), form.querySelector('output')]

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  try {
    const token = await signToken(field.value)
    reference.preauthorizeApiKey('sharedAccessSignature', token)
    said.textContent = 'Requests of this page are authorized, for an hour.'
  } catch (error) {
    said.textContent = error.message
  }
  field.value = ''
})
