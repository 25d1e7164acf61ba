from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tuning', '0009_budgets'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='deadline',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='slot',
            name='lane',
            field=models.CharField(choices=[('device', 'on a device'), ('quick', 'quick looks'), ('bulk', 'whole data')], default='device', max_length=8),
        ),
    ]
