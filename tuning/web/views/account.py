"""Signing in and out, the password, API tokens."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_http_methods, require_POST

from tuning.selectors.tokens import tokens_of
from tuning.services.accounts import set_password_changed
from tuning.services.errors import Invalid
from tuning.services.tokens import create_token, revoke_token
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.account import TokenForm
from tuning.web.security import must_change_password


class SignIn(auth_views.LoginView):
    redirect_authenticated_user = True


class SignOut(auth_views.LogoutView):
    pass


class PasswordChange(auth_views.PasswordChangeView):
    success_url = reverse_lazy("studies")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(must_change_password=must_change_password(self.request), **kwargs)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        response = super().form_valid(form)
        set_password_changed(user=form.user)
        messages.success(self.request, "Your password is changed.")
        return response


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: SignedInRequest) -> HttpResponse:
    """The person's tokens; POST makes one and shows its secret this once."""
    form, secret = TokenForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            _, secret = create_token(user=request.user, **form.cleaned_data)
            form = TokenForm()
        except Invalid as error:
            for field, texts in error.fields.items():
                form.add_error(field if field in form.fields else None, texts)
    context = {"form": form, "secret": secret, "tokens": list(tokens_of(request.user))}
    return render(request, "tuning/account.html", context, status=400 if form.errors else 200)


@signed_in
@require_POST
def revoke(request: SignedInRequest, token_id: int) -> HttpResponse:
    revoke_token(user=request.user, token_id=token_id)
    messages.success(request, "The token is revoked: scripts that use it are refused from now on.")
    return redirect("account")
